"""One request that is answered on the short way."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from service.chain import Request, Response, rest_of

if TYPE_CHECKING:
    from service.protocol.connection import Connection


class Turn:
    """One request on the short way.

    It drives the chain's coroutine itself: each future that the chain awaits resumes it. If the
    chain yields without a future (`chain.own_task`), a task takes over.
    """

    # Class attributes that nearly every request leaves unchanged; slots would be filled every time.
    answered = False
    body: bytes | bytearray = b""
    steps: Coroutine[Any, Any, Response] | None = None
    task: asyncio.Task[None] | None = None
    whole: asyncio.Future[bytes] | None = None

    def __init__(self, connection: "Connection") -> None:
        target = connection.target
        path = target.decode("ascii")
        headers, service = connection.headers, connection.service
        self.connection = connection
        self.request = Request(
            connection.parser.get_method().decode("ascii"),
            target,
            unquote(path) if "%" in path else path,
            connection.query,
            headers,
            b"",
            "http",
            service.request_id(headers) if connection.names_itself else service.new_id(),
        )
        self.keep_alive = connection.keep_alive

    def start(self) -> None:
        self.steps = self.connection.service.answer(self.request)
        self.resume()

    def start_early(self) -> None:
        """Start before the body has arrived.

        A filter that needs it awaits it; a refusal does not.
        """
        self.whole = whole = self.connection.loop.create_future()
        self.request.pending = lambda: whole
        self.start()

    def take(self, body: bytes) -> None:
        if not self.body:
            self.body = body
        elif isinstance(self.body, bytearray):
            self.body += body
        else:  # a list of a million pieces of two bytes would take thirty times the memory
            self.body = bytearray(self.body) + body

    def complete(self) -> None:
        body, self.body = bytes(self.body), b""
        if self.whole is None:
            self.request.body = body
            self.start()
        elif not self.whole.done():
            self.whole.set_result(body)

    def resume(self, _: "asyncio.Future[Any] | None" = None) -> None:
        if self.steps is None:
            return  # nobody awaits it any more
        try:
            waits_for = self.steps.send(None)
        except StopIteration as done:
            self.connection.respond(self, done.value)
            return
        if waits_for is None:
            self.task = self._keep(self._finish(self.steps))
        else:
            waits_for.add_done_callback(self.resume)

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks = self.connection.server_state.tasks
        task = self.connection.loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def _finish(self, steps: Coroutine[Any, Any, Response]) -> None:
        self.connection.respond(self, await rest_of(steps))

    def abandon(self) -> None:
        """Stop: the body will not arrive, and an incomplete write must not be executed."""
        self.answered = True
        if self.whole is None or self.whole.done():
            return
        self.whole.cancel()
        if self.task is not None:
            self.task.cancel()
        elif self.steps is not None:
            self.steps.close()
        self.steps = None
