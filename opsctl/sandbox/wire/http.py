"""HTTP requests and answers as values, and their way in and out of ASGI."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """Header names are lower case; `query` is the raw query string."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def read(scope: Scope, receive: Receive) -> Request:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], scope["path"], query, headers, b"".join(chunks))


async def write(send: Send, answer: Answer) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    headers = [(name, value) for name, value in headers if name != "content-length"]
    headers.append(("content-length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


def replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was already read once more; afterwards the client's own messages."""
    pending = [body]

    async def receive_again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again


async def exchange(application: Application, scope: Scope, request: Request) -> Answer:
    """Put one request to an ASGI application, collect the whole answer."""
    pending = [request.body]
    started: dict[str, Any] = {}
    chunks: list[bytes] = []

    async def receive() -> Message:
        body = pending.pop() if pending else b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            chunks.append(message.get("body", b""))

    inner = dict(scope)
    inner["method"], inner["path"] = request.method, request.path
    inner["raw_path"] = request.path.encode("latin-1")
    inner["query_string"] = request.query.encode("latin-1")
    inner["headers"] = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in {**request.headers, "content-length": str(len(request.body))}.items()
    ]
    await application(inner, receive, send)
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in started["headers"]}
    return Answer(started["status"], headers, b"".join(chunks))
