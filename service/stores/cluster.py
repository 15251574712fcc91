"""Run commands on a Redis in cluster mode, on the node that owns the key's slot.

redis-py reads the slot map and the redirections; each node has one link, like a single Redis. A
command refused with MOVED, ASK, TRYAGAIN or CLUSTERDOWN was not executed, so it is sent again. A
write whose connection broke before the reply may have been executed, so it is not sent again but
reported.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.asyncio.cluster import ClusterNode, NodesManager
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
    TryAgainError,
)

from service.entities.commands import Command, Read, Reply
from service.stores import scripts
from service.stores.address import Address
from service.stores.node import CONNECT_TIMEOUT, Access, Node
from service.stores.store import Unavailable
from service.trust import tls

_log = logging.getLogger(__name__)

REFRESH_INTERVAL = 10.0  # seconds between reads of the slot map, if nothing shows that it changed
_REFRESH_PAUSE = 0.1  # seconds between reads while it is changing
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1  # seconds between attempts at one command
_READS = (b"HGETALL", b"HMGET")


class ClusterStore:
    """`address` is any node's, or a name that leads to one.

    A command is tried for `timeout` seconds.
    """

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
        self._access = Access(user, password, tls.context(tls_ca) if address.tls else None)
        self._timeout = timeout
        self._sleep = sleep
        self._nodes: dict[str, Node] = {}
        # It checks that this is a cluster, and notices when the address returns.
        self._entry = self._make(address)
        self._slots = self._no_slots()
        self._stale = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.why = "not connected yet"
        self.redirections = 0
        self._since = time.time()

    def _no_slots(self) -> NodesManager:
        settings = {**self._access.settings(), "socket_timeout": CONNECT_TIMEOUT}
        host, port = self._entry.address.host, self._entry.address.port
        first = ClusterNode(host, port, **settings)
        return NodesManager([first], False, settings)

    def _make(self, address: Address) -> Node:
        return Node(
            address,
            self._access,
            timeout=self._timeout,
            mode="cluster",
            changed=lambda: self._stale.set(),
            sleep=self._sleep,
        )

    async def open(self) -> None:
        """Open the store. Raises StartError for a Redis that is not in cluster mode."""
        await self._entry.open()
        if self._entry.up is not None:
            await self._refresh()
            await asyncio.gather(*[node.settled() for node in self._nodes.values()])
        self._refreshing = asyncio.get_running_loop().create_task(self._keep_fresh())

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        nodes = [self._entry, *self._nodes.values()]
        await asyncio.gather(*[node.close() for node in nodes], *self._closing)
        await self._slots.aclose()
        await self._slots.aclose("startup_nodes")

    @property
    def whole(self) -> bool:
        """Return whether every slot has an owner that can be reached."""
        return len(self._slots.slots_cache) == REDIS_CLUSTER_HASH_SLOTS and all(
            node.name in self._nodes and self._nodes[node.name].up is not None
            for node in self._slots.get_nodes_by_server_type("primary")
        )

    def status(self) -> Mapping[str, Any]:
        nodes = {
            name: {"state": "down" if node.up is None else "up", "losses": node.losses}
            for name, node in self._nodes.items()
        }
        up = any(node.up is not None for node in self._nodes.values())
        status = {
            "state": "up" if self.whole else "partly up" if up else "down",
            "store": "redis cluster",
            "address": str(self._entry.address),
            "slots": len(self._slots.slots_cache),
            "redirections": self.redirections,
            "nodes": nodes,
        }
        return status if self.whole else {**status, "why": self.why}

    async def execute(self, command: Command) -> Reply:
        if type(command) is Read and not command.batch and command.fields is None:
            key = command.entities[0].store_key
            try:
                return (await self._call(key, b"HGETALL", key),)
            except ResponseError as error:
                scripts.refuse(error)
        return await scripts.run(self._call, command, together=False)

    async def _call(self, key: bytes, *words: bytes) -> Any:
        slot = key_slot(key)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        pause = _FIRST_PAUSE
        importing: Node | None = None
        while True:
            sent = False
            try:
                node = importing or self._owner(slot)
                link = node.up or await node.link()
                sent = True
                if importing is not None:
                    link.call(b"ASKING").add_done_callback(_heard)
                    importing = None
                return await link.call(*words)
            except MovedError as error:
                why = await self._moved(error, node)
            except AskError as error:
                self.redirections += 1
                importing = self._node(error.host or node.address.host, error.port)
                why = str(error)
            except (TryAgainError, ClusterDownError) as error:
                self._stale.set()
                why = f"{error.status_code} {error}"
            except Unavailable as error:
                self._stale.set()
                why = error.why
                if sent and words[0] not in _READS:
                    raise
            if loop.time() >= until:
                self.why = why
                raise Unavailable(why)
            if importing is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _moved(self, error: MovedError, by: Node) -> str:
        self.redirections += 1
        error.host = error.host or by.address.host
        if error.slot_id in self._slots.slots_cache:
            await self._slots.move_slot(error)
        self._node(error.host, error.port)
        self._stale.set()
        return str(error)

    def _owner(self, slot: int) -> Node:
        try:
            owner = self._slots.get_node_from_slot(slot)
        except (KeyError, SlotNotCoveredError):
            raise Unavailable(self.why or f"no node serves slot {slot}") from None
        return self._node(owner.host, int(owner.port))

    def _node(self, host: str, port: int) -> Node:
        name = f"{host}:{port}"
        node = self._nodes.get(name)
        if node is None:
            address = Address(host, port, tls=self._entry.address.tls)
            node = self._nodes[name] = self._make(address)
            node.start()
        return node

    async def _keep_fresh(self) -> None:
        while True:
            try:
                async with asyncio.timeout(REFRESH_INTERVAL):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()
            await self._refresh()
            await self._sleep(_REFRESH_PAUSE)

    async def _refresh(self) -> None:
        """Read the slot map from any node. If none answers, the old map stays."""
        entry = self._entry.address
        try:
            await self._slots.initialize(additional_startup_nodes_info=[(entry.host, entry.port)])
        except (OSError, RedisError, RedisClusterException) as error:
            self.why = str(error)
            return
        except Exception as error:
            # What redis-py raises for a map that makes no sense, and uvloop for a closed transport.
            self.why = f"the slot map cannot be read: {error!r}"
            _log.warning("redis %s: %s", entry, self.why)
            return
        for owner in self._slots.get_nodes_by_server_type("primary"):
            self._node(owner.host, int(owner.port))
        known = self._slots.nodes_cache
        for name in [name for name in self._nodes if name not in known]:
            closing = asyncio.get_running_loop().create_task(self._nodes.pop(name).close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _heard(reply: "asyncio.Future[Any]") -> None:
    if not reply.cancelled():
        reply.exception()  # the next command says the same
