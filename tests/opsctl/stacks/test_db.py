"""The cache: what a new one begins with, whether it became what was asked for, its snapshots."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.snapshot.cache import Backup, Cache, CacheNode
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import db
from opsctl.stacks.changes import Plan
from tests.opsctl.snapshots import NAMES, START, Driven, config, event, stack
from tests.opsctl.stacks.fake import Clients, CloudFormation

CONFIG = config()
CACHE = Cache(
    "web-redis",
    "cluster",
    "available",
    version="7.1.0",
    node_type="cache.t4g.micro",
    nodes=(CacheNode("web-redis"),),
)
LIVE = stack("db", "UPDATE_COMPLETE", outputs={"CacheClusterId": "web-redis"})


class AlreadyExists(Exception):
    pass


class ElastiCache:
    exceptions = SimpleNamespace(SnapshotAlreadyExistsFault=AlreadyExists)

    def __init__(self) -> None:
        self.made: list[dict[str, str]] = []
        self.answers = True

    def create_snapshot(self, **given: str) -> None:
        self.made.append(given)
        if not self.answers:
            raise AlreadyExists


class World:
    def __init__(self, *, cache: Cache | None = CACHE, state: StackState | None = LIVE) -> None:
        self.cache, self.state = cache, state
        self.elasticache = ElastiCache()
        self.backups: list[tuple[Backup, ...]] = [()]

    def look(self, look: Look) -> Snapshot:
        backups: tuple[Backup, ...] = ()
        if "backups" in look.parts:
            backups = self.backups.pop(0) if len(self.backups) > 1 else self.backups[0]
        return Snapshot(
            START,
            NAMES,
            stacks={"db": self.state} if self.state else {},
            cache=self.cache,
            events=(event("e1", "UPDATE_COMPLETE"),) if "events" in look.parts else (),
            backups=backups,
        )

    def preview(self, *sets: str) -> Driven:
        clients = cast(Any, Clients(CloudFormation()))
        return Driven(db.preview(clients, config(*sets)), self.look)

    def up(self, **more: Any) -> Driven:
        clients = cast(Any, Clients(CloudFormation()))
        return Driven(db.up(clients, CONFIG, **more), self.look, [True])

    def take(self, name: str | None = None, *, answer: bool = True) -> Driven:
        clients = cast(Any, Clients(CloudFormation(), elasticache=self.elasticache))
        return Driven(db.take_snapshot(clients, CONFIG, name), self.look, [answer])


def test_a_cache_of_somebody_elses_stack_gets_no_snapshot() -> None:
    world = World(state=replace(LIVE, tags={}))
    with pytest.raises(OpsError, match="was not made by opsctl"):
        world.take()
    assert world.elasticache.made == []


def test_a_cache_at_another_address_needs_a_release() -> None:
    # The address is in the image: the new cache was there, and the tasks looked for the old one.
    states = [
        stack("db", "CREATE_COMPLETE", outputs={"RedisEndpoint": f"web-redis:{port}"})
        for port in (6379, 6380)
    ]
    world = World(state=states[0])
    world.elasticache.answers = True
    looked: list[Look] = []

    def look(wanted: Look) -> Snapshot:
        looked.append(wanted)
        done = "events" in {part for one in looked for part in one.parts}
        world.state = states[1] if done else states[0]
        return world.look(wanted)

    clients = cast(Any, Clients(CloudFormation()))
    driven = Driven(db.up(clients, CONFIG), look, [True])
    [notice] = [one for one in driven.of(Notice) if one.warning]
    assert notice.text == (
        "the cache is at web-redis:6380 now; the tasks look for it at web-redis:6379 until: "
        "opsctl update-tasks"
    )


def test_a_cache_that_is_as_requested_is_not_mentioned() -> None:
    driven = World().up()
    assert driven.result.kind == "done" and driven.of(Notice) == []


@pytest.mark.parametrize(
    ("cache", "sentence"),
    [
        (replace(CACHE, node_type="cache.m7g.large"), "has node_type cache.m7g.large, not"),
        (replace(CACHE, version="6.2.6"), "has engine_version 6.2.6, not 7.1"),
        (replace(CACHE, nodes=CACHE.nodes * 2), "has nodes 2, not 1"),
        (replace(CACHE, pending=("CacheNodeType",)), "in its next maintenance window: CacheNode"),
    ],
)
def test_what_cloudformation_calls_complete_is_compared_with_the_live_cache(
    cache: Cache, sentence: str
) -> None:
    [notice] = World(cache=cache).up().of(Notice)
    assert sentence in notice.text


@pytest.mark.parametrize(
    ("state", "asked", "told"),
    [
        (LIVE, None, ""),
        (replace(LIVE, parameters={"Snapshot": "old"}), None, None),
        (LIVE, "mine", "mine"),
        # Another cache than the stack's: the snapshot of before is not for this one.
        (
            replace(LIVE, outputs={"CacheClusterId": "other"}, parameters={"Snapshot": "old"}),
            None,
            "",
        ),
        (None, "mine", "mine"),
    ],
)
def test_what_a_cache_begins_with(
    state: StackState | None, asked: str | None, told: str | None
) -> None:
    [plan] = World(state=state).up(snapshot=asked).of(Plan)
    assert plan.stack.parameters == ({} if told == "" else {"Snapshot": told})
    # Any word on it may replace a cache that has none: the change sets of 0.1.0's stacks said so.
    assert ("SnapshotName" in plan.stack.template) is (told != "")


def test_a_snapshot_is_followed_until_it_can_be_used() -> None:
    world = World()
    making = Backup("web-redis-20261126-120000", "creating")
    world.backups = [(), (), (making,), (replace(making, status="available"),)]
    driven = world.take()
    assert driven.result.kind == "done"
    assert world.elasticache.made == [
        {"CacheClusterId": "web-redis", "SnapshotName": "web-redis-20261126-120000"}
    ]
    assert [one.status for one in driven.of(Backup)] == ["creating", "available"]


def test_a_snapshot_whose_answer_was_lost_is_still_followed() -> None:
    world = World()
    world.backups = [(), (), (Backup("mine", "available"),)]
    world.elasticache.answers = False  # the repeated call finds what the first one made
    assert world.take("mine").result.kind == "done"


def test_a_name_that_is_taken_is_refused_before_the_question() -> None:
    world = World()
    world.backups = [(Backup("mine", "available", created=START),)]
    with pytest.raises(OpsError, match="a snapshot `mine` of 2026-.* already, which is available"):
        world.take("mine")
    assert world.elasticache.made == []


def test_a_name_that_somebody_takes_during_the_question_is_not_followed_as_ours() -> None:
    world = World()
    world.backups = [(), (Backup("mine", "creating"),)]
    with pytest.raises(OpsError, match="a snapshot `mine` already, which is creating"):
        world.take("mine")
    assert world.elasticache.made == []


@pytest.mark.parametrize("after", [(), (Backup("mine", "failed"),)])
def test_a_snapshot_that_does_not_become_available_has_failed(after: Any) -> None:
    world = World()
    world.backups = [(), (), (Backup("mine", "creating"),), after]
    assert world.take("mine").result.kind == "failed"


def test_without_an_answer_or_a_cache_no_snapshot_is_made() -> None:
    world = World()
    assert world.take(answer=False).result.kind == "cancelled" and world.elasticache.made == []
    with pytest.raises(OpsError, match="there is no cache `web-redis`"):
        World(cache=None).take()


def test_an_older_engine_than_the_live_one_is_refused_in_the_plan() -> None:
    with pytest.raises(OpsError, match="runs redis 7.1.0, and AWS takes no engine back to") as old:
        World(cache=replace(CACHE, engine="redis")).preview("db.engine_version='7.0'")
    assert old.value.hint.startswith("set `db.engine_version: 7.1`")  # type: ignore[union-attr]  # there is one
    assert World(cache=replace(CACHE, version="7.0.7")).preview().of(Plan)


def grouped(live: int, *sets: str, tls: bool = True) -> Driven:
    """`db up` of a replication group that has so many nodes now."""
    nodes = tuple(CacheNode(f"web-redis-{n + 1:03}") for n in range(live))
    cache = replace(CACHE, kind="replication_group", nodes=nodes, tls=tls)
    world = World(cache=cache, state=replace(LIVE, outputs={"ReplicationGroupId": "web-redis"}))
    clients = cast(Any, Clients(CloudFormation()))
    wanted = config("db.kind=replication_group", *sets)
    return Driven(db.up(clients, wanted), world.look, [True, True])


@pytest.mark.parametrize(("live", "nodes"), [(1, 3), (3, 1)])
def test_the_first_replica_comes_before_failover_and_the_last_one_goes_after_it(
    live: int, nodes: int
) -> None:
    first, second = (plan.stack.template for plan in grouped(live, f"db.nodes={nodes}").of(Plan))
    assert "NumCacheClusters: 3" in first and "AutomaticFailoverEnabled: false" in first
    assert f"NumCacheClusters: {nodes}" in second
    assert f"AutomaticFailoverEnabled: {str(nodes > 1).lower()}" in second


@pytest.mark.parametrize("live", [2, 3])
def test_more_replicas_are_one_step(live: int) -> None:
    assert len(grouped(live, "db.nodes=2").of(Plan)) == 1


@pytest.mark.parametrize("tls", [True, False])
def test_tls_is_not_switched_on_or_off_in_one_step(tls: bool) -> None:
    with pytest.raises(OpsError, match="encryption in transit, and AWS does not switch") as caught:
        grouped(1, f"db.encryption_in_transit={str(not tls).lower()}", tls=tls)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"set `db.encryption_in_transit: {str(tls).lower()}`")
