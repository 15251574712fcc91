"""The catalogue joined with AWS: each alarm, its metric, its live state. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from opsctl.alarms.catalogue import OPERATORS, Alarm, Comparison, catalogue
from opsctl.alarms.evaluation import Rule
from opsctl.config.model import Config
from opsctl.errors import ConfigError, nearest
from opsctl.metrics.catalogue import Metric, Query
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.mute_rules import MuteRule
from opsctl.snapshot.snapshot import Look, Snapshot

LOOK = Look(frozenset({"stacks", "subnets", "alarms"}), ("ecs", "alarms"))
LOOK_AT_MUTES = LOOK | Look(frozenset({"mute_rules"}), ())
_NO_END = datetime.max.replace(tzinfo=UTC)
_SIGNS: dict[str, Comparison] = {word: sign for sign, word in OPERATORS.items()}


@dataclass(frozen=True, slots=True)
class Watched:
    """An alarm. `name` is CloudWatch's; `query` is None while the ecs stack lacks the resource.

    `muted` are the rules that mute it now, the one that lasts longest first; None if unknown.
    """

    alarm: Alarm
    name: str
    query: Query | None
    state: AlarmState | None
    muted: tuple[MuteRule, ...] | None = None

    @property
    def rule(self) -> Rule:
        alarm = self.alarm
        return Rule(
            alarm.comparison, alarm.threshold, alarm.periods, alarm.points, alarm.missing,
            alarm.period // 60,
        )  # fmt: skip


def watched(now: Snapshot, config: Config) -> list[Watched]:
    states = {state.name: state for state in now.alarms}
    zones = sorted({subnet.zone for subnet in now.subnets})
    alarms = []
    for alarm in catalogue(config, zones):
        name = f"{now.names.alarms}{alarm.name}"
        alarms.append(Watched(alarm, name, _query(alarm, now), states.get(name), _muted(name, now)))
    return alarms


def named(alarms: Sequence[Watched], name: str, prefix: str) -> Watched:
    """Return the alarm of this name, with or without the system's prefix.

    Raises ConfigError for an unknown name.
    """
    known = {one.alarm.name: one for one in alarms}
    short = name.removeprefix(prefix)
    if short in known:
        return known[short]
    near = nearest(short, known)
    raise ConfigError(
        f"there is no alarm `{name}`; there are {', '.join(known)}",
        hint=f"opsctl alarms explain {near}" if near else "opsctl alarms status",
    )


def differs(one: Watched) -> bool:
    """Return whether the alarm is missing or another one than the config's: `alarms up` is due."""
    return one.state is None or bool(drift(one, released=False))


def drift(one: Watched, *, released: bool) -> list[str]:
    """Return how the live alarm differs from the catalogue, because somebody changed it by hand."""
    alarm, live = one.alarm, one.state
    if live is None:
        return []
    pairs = (
        ("threshold", live.threshold, float(alarm.threshold)),
        ("comparison", _SIGNS.get(live.comparison, live.comparison), alarm.comparison),
        ("statistic", live.statistic, alarm.statistic),
        ("period", live.period, alarm.period),
        ("evaluation periods", live.periods, alarm.periods),
        ("datapoints to alarm", live.points, alarm.points),
        ("missing data", live.missing, alarm.missing),
        ("metric", live.metric, alarm.metric),
    )
    changed = [f"{what} is {is_} instead of {want}" for what, is_, want in pairs if is_ != want]
    if one.query is not None and dict(live.dimensions) != one.query.dimensions:
        changed.append("it watches another resource")
    if released and not live.actions:
        changed.append("its actions are off")
    if not live.to:
        changed.append("it notifies nobody")
    return changed


def _muted(name: str, now: Snapshot) -> tuple[MuteRule, ...] | None:
    if not now.holds("mute_rules"):
        return None
    rules = [rule for rule in now.mute_rules if name in rule.alarms]
    return tuple(sorted(rules, key=lambda rule: rule.until or _NO_END, reverse=True))


def _query(alarm: Alarm, now: Snapshot) -> Query | None:
    dimensions = {}
    for name, value in alarm.dimensions:
        output = value.removeprefix("import:")
        dimensions[name] = value if output == value else now.output("ecs", output)
    if not all(dimensions.values()):
        return None
    metric = Metric(
        "alarms", alarm.namespace, alarm.metric, alarm.statistic, tuple(dimensions), "count",
        alarm.tells,
    )  # fmt: skip
    return Query(metric, dimensions)
