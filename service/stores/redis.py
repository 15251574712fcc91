"""Run commands on one Redis: one round trip each; updates are atomic in a script."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from service.entities.commands import Command, Read, Replace, Reply
from service.stores import scripts
from service.stores.address import Address
from service.stores.node import Access, Node
from service.trust import tls


class RedisStore:
    """`tls_ca` is a file of the only authorities to trust; without it the system's apply."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float,
        user: str = "",
        password: str = "",
        tls_ca: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        access = Access(user, password, tls.context(tls_ca) if address.tls else None)
        self._node = Node(address, access, timeout=timeout, sleep=sleep)

    async def open(self) -> None:
        await self._node.open()

    async def close(self) -> None:
        await self._node.close()

    @property
    def whole(self) -> bool:
        return self._node.up is not None

    def status(self) -> Mapping[str, Any]:
        node = self._node
        status = {
            "state": "down" if node.up is None else "up",
            "store": "redis",
            "address": str(node.address),
            "since": int(node.since),
            "losses": node.losses,
        }
        return status if node.up is not None else {**status, "why": node.why}

    async def execute(self, command: Command) -> Reply:
        link = self._node.up or await self._node.link()
        # Nearly every request is one of these.
        try:
            if type(command) is Read and not command.batch and command.fields is None:
                return (await link.call(b"HGETALL", command.entities[0].store_key),)
            if type(command) is Replace:
                words = scripts.replacement(command)
                return bool(await link.call(b"EVALSHA", scripts.REPLACE.digest, b"1", *words))
        except NoScriptError:
            pass  # the full script is sent below
        except ResponseError as error:
            scripts.refuse(error)

        def call(key: bytes, *words: bytes) -> Awaitable[Any]:
            return link.call(*words)

        return await scripts.run(call, command, together=True)
