"""A site with nothing but reauth, and the requests that it is tried with."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service import caddyfile
from service.caddyfile import Directive
from service.chain import Exchange, Request, Response, Site
from service.errors import FilterError
from service.filters import reauth
from tests.service import auth_server as fake
from tests.service.auth_server import CLIENT_TOKEN, REFRESH_TOKEN

T = TypeVar("T")
SIMPLE = "simple user=canary-password,other=word"
RIGHT = b"Basic " + base64.b64encode(b"user:canary-password")
BEARER = b"Bearer " + CLIENT_TOKEN.encode()


def directives(text: str) -> list[Directive]:
    blocks = caddyfile.parse(f":80 {{\n{text}\n}}", "Testfile", environment={})
    return list(blocks[0].directives)


def block(*lines: str) -> str:
    return "\n".join(["reauth {", *lines, "}"])


class Served:
    """A site with nothing but reauth, and a handler below it that remembers what it got."""

    def __init__(self, text: str, secrets: dict[str, object] | None = None) -> None:
        self.site = Site("", 80, secrets=secrets or {})
        options = tuple(reauth.parse(each) for each in directives(text))
        self.filter = reauth.build(options, self.site)
        self.passed: list[Exchange] = []

    async def _below(self, exchange: Exchange) -> Response:
        self.passed.append(exchange)
        return Response(200)

    async def send(self, request: Request) -> int:
        assert self.filter is not None
        try:
            return (await self.filter(Exchange(request), self._below)).status
        except FilterError as error:
            return error.status

    def __call__(self, *requests: Request) -> list[int]:
        async def one_after_another() -> list[int]:
            return [await self.send(request) for request in requests]

        return self.run(one_after_another)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Between start-up and shutdown."""

        async def main() -> T:
            for start in self.site.startup:
                await start()
            try:
                return await work()
            finally:
                for stop in reversed(self.site.shutdown):
                    await stop()

        return asyncio.run(main())


def get(
    path: str,
    authorization: bytes | None = None,
    query: bytes = b"",
    body: bytes = b"",
    *more: tuple[bytes, bytes],
) -> Request:
    headers = [(b"host", b"example.com"), *more]
    if authorization is not None:
        headers.append((b"authorization", authorization))
    raw = path.encode()
    return Request("GET", raw, path=path, query_string=query, headers=headers, body=body)


def refreshing(server: fake.AuthServer, *options: str, secrets: object = REFRESH_TOKEN) -> Served:
    line = ",".join([f"refresh url={server.url}", *options])
    return Served(block("path /v1", line, "failure status code=401"), {"anything": secrets})
