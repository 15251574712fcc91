"""The proxy routes to healthy targets, drains without cutting, and fails open."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from opsctl_sandbox.host.balancer import Balancer, Key, Routes

GROUP = "tg"


def key(port: int) -> Key:
    return (GROUP, "i-1", port)


@asynccontextmanager
async def target(name: str) -> AsyncIterator[tuple[str, int]]:
    """A server that answers every line with its name."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(f"{name}\n".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


@asynccontextmanager
async def balancer(group: str | None = GROUP) -> AsyncIterator[tuple[Balancer, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = Balancer(Routes())
    await made.listen("lb", listener, lambda: group)
    try:
        yield made, listener.getsockname()[1]
    finally:
        await made.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self) -> str:
        self._writer.write(b"?\n")
        return (await self._reader.readline()).decode().strip()

    def close(self) -> None:
        self._writer.close()


async def once(port: int) -> str:
    client = await Client.open(port)
    try:
        return await client.ask()
    finally:
        client.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), timeout=10)

    asyncio.run(bounded())


def test_connections_take_turns_among_healthy_targets() -> None:
    async def test() -> None:
        async with target("a") as a, target("b") as b, target("c") as c, balancer() as (lb, port):
            for number, address in enumerate((a, b, c)):
                lb.routes.register(key(number), address)
            lb.routes.judge(key(0), healthy=True)
            lb.routes.judge(key(1), healthy=True)
            answers = [await once(port) for _ in range(6)]
            assert sorted(answers) == ["a", "a", "a", "b", "b", "b"]

    run(test)


def test_a_draining_target_finishes_what_it_has_and_gets_nothing_new() -> None:
    async def test() -> None:
        async with target("old") as old, target("new") as new, balancer() as (lb, port):
            lb.routes.register(key(1), old)
            lb.routes.judge(key(1), healthy=True)
            held = await Client.open(port)
            assert await held.ask() == "old"
            lb.routes.register(key(2), new)
            lb.routes.judge(key(2), healthy=True)
            lb.routes.deregister(key(1))
            assert [await once(port) for _ in range(4)] == ["new"] * 4
            assert await held.ask() == "old"
            held.close()

    run(test)


def test_with_no_healthy_target_all_are_tried() -> None:
    async def test() -> None:
        async with target("a") as a, balancer() as (lb, port):
            lb.routes.register(key(1), a)
            assert await once(port) == "a"

    run(test)


def test_a_healthy_target_that_died_is_passed_over() -> None:
    async def test() -> None:
        async with target("a") as a, balancer() as (lb, port):
            with socket.create_server(("127.0.0.1", 0)) as gone:
                dead = gone.getsockname()
            for number, address in enumerate((dead, a)):
                lb.routes.register(key(number), address)
                lb.routes.judge(key(number), healthy=True)
            assert [await once(port) for _ in range(4)] == ["a"] * 4

    run(test)


def test_without_targets_a_connection_is_reset() -> None:
    async def test() -> None:
        async with balancer() as (_, port):
            client = await Client.open(port)
            with suppress(ConnectionError):
                assert await client.ask() == ""
            client.close()

    run(test)
