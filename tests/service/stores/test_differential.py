"""The map and a real Redis are driven together, and must agree to the byte."""

import asyncio
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from service.entities import attributes, document
from service.entities.commands import (
    Change,
    Command,
    Delete,
    Entity,
    Read,
    Replace,
    Reply,
    Update,
)
from service.errors import FilterError
from service.stores import address
from service.stores.memory import MemoryStore
from service.stores.redis import RedisStore
from tests.service.redis_server import Redis

KEYS = st.sampled_from([Entity(f"c:t:d:{key}".encode()) for key in "ab"])
NAMES = st.sampled_from([b'"a"', b'"b"', b'"c"', b'"last_update"'])
TIMES = st.integers(0, 9).map(lambda n: b'"%d"' % n)
NUMBERS = (
    st.integers(-(2**53) - 2, 2**53 + 2).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(-1000, 1000, places=3).map(str)
    | st.sampled_from(["0", "-0", "-0.0", "4.", "00012", "1e-7", "1e15", "0.1", "1e-400", "-1"])
)
TEXTS = NUMBERS | st.sampled_from(["", "x", "0x10", "nan", " 1", "1 ", ".5", "1\n", "[x]", "%"])
ITEMS = st.lists(st.sampled_from(["", "x", "%5D", "%22", "e+f", "x" * 70]), max_size=4).map(
    ",".join
)
VALUES = (TEXTS.map(lambda t: t.replace("%", "%25").replace("[", "%5B").replace("+", "%2B"))) | (
    ITEMS.map(lambda items: f"[{items}]")
)
CHANGES = (
    VALUES
    | st.sampled_from(["$INCR", "$DELETE"])
    | NUMBERS.map(lambda n: f"$ADD({n})")
    | st.tuples(st.sampled_from(["APPEND", "PREPEND"]), ITEMS).map(lambda c: f"${c[0]}({c[1]})")
)


class Stores(RuleBasedStateMachine):
    redis_address: address.Address

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.memory = MemoryStore()
        self.redis = RedisStore(self.redis_address, timeout=5)
        self.loop.run(self._begin())

    async def _begin(self) -> None:
        await self.redis.open()
        for key in "ab":
            await self.redis.execute(Delete(Entity(f"c:t:d:{key}".encode())))

    def teardown(self) -> None:
        self.loop.run(self.redis.close())
        self.loop.close()

    def same(self, command: Command) -> Reply:
        results = [self.loop.run(_outcome(s, command)) for s in (self.memory, self.redis)]
        assert results[0] == results[1]
        return results[0][0]

    def read(self, entity: Entity) -> None:
        replies = []
        for store in (self.memory, self.redis):
            reply, _ = self.loop.run(_outcome(store, Read((entity,))))
            assert not isinstance(reply, bool | None)
            replies.append(document.entity(entity, reply[0]) if reply[0] else None)
        assert replies[0] == replies[1]

    @rule(entity=KEYS, given=st.dictionaries(NAMES, VALUES, max_size=3), at=TIMES)
    def replace(self, entity: Entity, given: dict[bytes, str], at: bytes) -> None:
        pairs = [(name, attributes.value(raw)) for name, raw in given.items()]
        self.same(Replace(entity, tuple(chain.from_iterable(pairs)), at))
        self.read(entity)

    @rule(entity=KEYS, given=st.dictionaries(NAMES, CHANGES, max_size=3), at=TIMES)
    def update(self, entity: Entity, given: dict[bytes, str], at: bytes) -> None:
        try:
            changes = tuple(attributes.change(name, raw) for name, raw in given.items())
        except FilterError:
            return
        self.same(Update(entity, changes, at))
        self.read(entity)

    @rule(entity=KEYS)
    def delete(self, entity: Entity) -> None:
        self.same(Delete(entity))
        self.read(entity)

    @rule(entity=KEYS, fields=st.lists(NAMES, unique=True, max_size=3).map(tuple))
    def fields(self, entity: Entity, fields: tuple[bytes, ...]) -> None:
        self.same(Read((entity,), fields))
        self.same(Read((entity, entity), fields))


async def _outcome(store: MemoryStore | RedisStore, command: Command) -> tuple[Reply, str]:
    try:
        reply = await store.execute(command)
    except FilterError as error:
        return None, f"{error.status} {error.detail}"
    return ([list(one) for one in reply] if isinstance(reply, list | tuple) else reply), ""


def test_the_map_does_what_redis_does_to_the_byte(redis: Redis) -> None:
    Stores.redis_address = address.parse(f"unix:{redis.path}")
    run_state_machine_as_test(
        Stores,
        settings=settings(
            max_examples=150,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[MemoryStore | RedisStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        redis: Redis = request.getfixturevalue("redis")
        yield RedisStore(address.parse(redis.address), timeout=5)


@pytest.mark.parametrize(
    ("old", "change", "new"),
    [
        ("2.3", "$ADD(1.7)", b'"4"'),
        ("4", "$INCR", b'"5"'),
        (None, "$INCR", b'"1"'),
        ("0.1", "$ADD(0.2)", b'"0.3"'),
        ("-1", "$INCR", b'"0"'),
        ("[a,,b,]", "$PREPEND(-2,-1,0,)", b'["-2","-1","0","","a","","b",""]'),
        ("[]", "$APPEND[x]", b'["x"]'),
        (None, "$APPEND[]", b"[]"),
        ("9007199254740990", "$INCR", b'"9007199254740991"'),
        ("9007199254740991", "$INCR", 409),
        ("x", "$INCR", 409),
        ("[1]", "$ADD(1)", 409),
        ("x", "$APPEND(y)", 409),
        ("", "$PREPEND(y)", 409),
        ("[1]", "x", b'"x"'),
    ],
)
def test_updates_by_table(
    store: MemoryStore | RedisStore, old: str | None, change: str, new: bytes | int
) -> None:
    entity = Entity(b"table")

    async def run() -> bytes | int:
        await store.open()
        given = () if old is None else (b'"a"', attributes.value(old))
        await store.execute(Replace(entity, given, b'"1"'))
        changes = (Change(b'"z"', "set", b'"z"'), attributes.change(b'"a"', change))
        try:
            await store.execute(Update(entity, changes, b'"2"'))
        except FilterError as error:
            after = await store.execute(Read((entity,)))
            assert not isinstance(after, bool | None)
            members = dict(zip(after[0][::2], after[0][1::2], strict=True))
            unchanged = {b"last_update": b'"1"', **dict([given] if given else [])}
            assert members == unchanged
            return error.status
        after = await store.execute(Read((entity,), (b'"a"',)))
        assert not isinstance(after, bool | None)
        return after[0][after[0].index(b'"a"') + 1]

    async def bounded() -> bytes | int:
        try:
            return await run()
        finally:
            await store.close()

    assert asyncio.run(bounded()) == new
