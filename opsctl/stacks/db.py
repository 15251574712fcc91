"""Bring up the cache's stack, compare the live cache with it, and take snapshots."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from opsctl.config.model import Config, Db
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, follow, look_at
from opsctl.snapshot.cache import Backup, Cache
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import change, definition, states
from opsctl.stacks.absent import absent, gone
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from opsctl.aws import Clients

_TWO_STEPS = Notice(
    "in two steps: AWS turns failover on only once there is a replica, and takes the last replica "
    "away only once it is off"
)
_STACK_AND_CACHE = Look(frozenset({"stacks", "cache"}), ("db",))
_BACKUPS = Look(frozenset({"backups"}), ())
_BEFORE_A_BACKUP = Look(frozenset({"stacks", "cache", "backups"}), ("db",))


def preview(
    clients: "Clients",
    config: Config,
    *,
    snapshot: str | None = None,
    reverts_drift: bool = False,
) -> Procedure[bool]:
    """Yield the plan. Returns True when it changes something."""
    now = (yield from look_at(_STACK_AND_CACHE)).require("stacks")
    first, desired = _desired(now, config, snapshot, reverts_drift)
    if first is not None:
        yield _TWO_STEPS
    return (yield from change.preview(clients, desired, bucket=config.aws.bucket))


def up(
    clients: "Clients",
    config: Config,
    *,
    snapshot: str | None = None,
    reverts_drift: bool = False,
) -> Procedure[Outcome]:
    """Bring the stack to its desired state. A new cache starts with the data of `snapshot`, if
    given.

    With `reverts_drift` changes made outside of the stack are reverted. Afterwards the live cache
    is compared with the config: CloudFormation has reported updates complete that did not happen.
    """
    before = (yield from look_at(_STACK_AND_CACHE)).require("stacks")
    first, desired = _desired(before, config, snapshot, reverts_drift)
    if first is not None:
        yield _TWO_STEPS
        outcome = yield from change.up(clients, first, bucket=config.aws.bucket)
        if not outcome.good:
            return outcome
    outcome = yield from change.up(clients, desired, bucket=config.aws.bucket)
    if outcome.good:
        now = (yield from look_at(_STACK_AND_CACHE)).require("cache", "stacks")
        yield from _differences(config.db, now.cache)
        yield from _moved(before, now)
    return outcome


def _moved(before: Snapshot, after: Snapshot) -> Iterator[Notice]:
    """Say that the tasks still have another address: it is in their image."""
    old, new = (one.output("db", "RedisEndpoint") for one in (before, after))
    if old and new and old != new:
        yield Notice(
            f"the cache is at {new} now; the tasks look for it at {old} until: opsctl update-tasks",
            warning=True,
        )


def _desired(
    now: Snapshot, config: Config, snapshot: str | None, reverts_drift: bool
) -> tuple[Stack | None, Stack]:
    """Return the stack, and before it the stack of a first step where AWS needs one."""
    state = now.stacks.get("db")
    step = None
    if not _is_new(config.db, state):
        _require_no_older(config.db, now.cache)
        _require_same_tls(config.db, now.cache)
        step = _first_step(config, now.cache)
    if snapshot is None and (_is_new(config.db, state) or not _began_with(state)):
        snapshot = ""  # the snapshot that an earlier cache began with does not concern this one
    first = definition.db(step, snapshot, failover=False) if step else None
    return first, replace(definition.db(config, snapshot), reverts_drift=reverts_drift)


def _first_step(config: Config, cache: Cache | None) -> Config | None:
    """Return the config of a first step without failover, where a cache gets its first replica or
    loses its last one.

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/383
    """
    db = config.db
    if cache is None or cache.kind != "replication_group" or db.kind != cache.kind or db.clustered:
        return None
    if (len(cache.nodes) > 1) == (db.nodes > 1):
        return None
    nodes = max(len(cache.nodes), db.nodes)
    return config.model_copy(update={"db": db.model_copy(update={"nodes": nodes})})


def _require_same_tls(db: Db, cache: Cache | None) -> None:
    """Raise OpsError for TLS switched on or off: AWS takes a detour over `preferred` for that.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html
    """
    if cache is None or cache.tls is None or db.kind != "replication_group":
        return
    if cache.tls != db.encryption_in_transit:
        raise OpsError(
            f"`{cache.id}` {'has' if cache.tls else 'has no'} encryption in transit, and AWS does "
            "not switch that in one step",
            hint=f"set `db.encryption_in_transit: {str(cache.tls).lower()}`, or another `db.name` "
            "for a new cache",
            cause="replacement-refused",
        )


def _require_no_older(db: Db, cache: Cache | None) -> None:
    """Raises OpsError for an older engine than the live one, which AWS refuses in mid-update.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheCluster.html
    """
    if cache is None or not cache.version or cache.engine not in ("", db.engine):
        return
    wanted, live = _numbers(db.version), _numbers(cache.version)
    if wanted < live[: len(wanted)]:
        raise OpsError(
            f"`{cache.id}` runs {cache.engine} {cache.version}, and AWS takes no engine back to "
            f"{db.version}",
            hint=f"set `db.engine_version: {'.'.join(map(str, live[:2]))}`, or another `db.name` "
            "for a new cache",
            cause="replacement-refused",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _is_new(db: Db, state: StackState | None) -> bool:
    output = "CacheClusterId" if db.kind == "cluster" else "ReplicationGroupId"
    return state is None or not state.exists or state.outputs.get(output) != db.name


def _began_with(state: StackState | None) -> str:
    return state.parameters.get("Snapshot", "") if state else ""


def _differences(db: Db, cache: Cache | None) -> Iterator[Notice]:
    if cache is None:
        return
    if cache.pending:
        waiting = ", ".join(cache.pending)
        yield Notice(f"`{cache.id}` changes in its next maintenance window: {waiting}")
        return
    declared = {"node_type": db.node_type, "nodes": db.total_nodes}
    live = {"node_type": cache.node_type, "nodes": len(cache.nodes)}
    if cache.version:
        declared["engine_version"], live["engine_version"] = db.version, cache.version
    for key, value in declared.items():
        there = live[key]
        # AWS appends the patch level: 7.1 becomes 7.1.0.
        same = str(there) == str(value) or str(there).startswith(f"{value}.")
        if not same:
            yield Notice(
                f"the stack is complete, but `{cache.id}` has {key} {there}, not {value}; "
                "to revert that: opsctl db up --revert-drift",
                warning=True,
            )


@dataclass(frozen=True, slots=True)
class BackupWatch:
    """Watches a snapshot until ElastiCache has made it."""

    name: str
    backup: Backup | None = None
    seen: bool = False

    @property
    def look(self) -> Look:
        return _BACKUPS

    @property
    def over(self) -> bool:
        return self.seen and (
            self.backup is None or self.backup.status not in ("creating", "copying")
        )

    @property
    def outcome(self) -> Outcome:
        status = self.backup.status if self.backup else "gone"
        if status == "available":
            return Outcome("done")
        return Outcome("failed", f"the snapshot `{self.name}` is {status}")

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        now.require("backups")
        backup = next((one for one in now.backups if one.name == self.name), None)
        before = self.backup.status if self.backup else ""
        changed = backup is not None and backup.status != before
        seen = self.seen or backup is not None
        return replace(self, backup=backup, seen=seen), (backup,) if changed else ()


def take_snapshot(clients: "Clients", config: Config, name: str | None) -> Procedure[Outcome]:
    """Take a snapshot of the cache, called `name` or after the time, and follow it to its end."""
    now = (yield from look_at(_BEFORE_A_BACKUP)).require("cache").require("backups")
    if now.cache is None:
        missing = OpsError(f"there is no cache `{config.db.name}`", hint="opsctl db up")
        raise gone(now) or missing
    state = now.stack("db")
    if state is None:
        raise (yield from absent(config, "db"))
    states.require_ours(state)
    if name:
        _require_free(now, name)
    name = name or f"{now.cache.id}-{_stamp(now.at)}"
    if not (yield from ask(f"make the snapshot `{name}`? the cache is slower meanwhile")):
        return Outcome("cancelled", "no snapshot was made")
    _require_free((yield from look_at(_BACKUPS)), name)  # the answer may have taken minutes
    kind = "CacheClusterId" if now.cache.kind == "cluster" else "ReplicationGroupId"
    request = {kind: now.cache.id, "SnapshotName": name}
    # A snapshot that exists suddenly is ours: the first answer was lost and the call repeated.
    with suppress(clients.elasticache.exceptions.SnapshotAlreadyExistsFault):
        clients.elasticache.create_snapshot(**request)  # type: ignore[arg-type]  # one of two keys
    watch = yield from follow(BackupWatch(name), subject=f"the snapshot `{name}` is being made")
    return watch.outcome


def _require_free(now: Snapshot, name: str) -> None:
    there = next((one for one in now.require("backups").backups if one.name == name), None)
    if there is not None:
        made = f" of {there.created:%Y-%m-%d %H:%M} UTC" if there.created else ""
        raise OpsError(
            f"there is a snapshot `{name}`{made} already, which is {there.status}",
            hint="choose another name, or none; those that exist: opsctl db snapshots",
        )


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S}"
