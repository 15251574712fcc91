from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from opsctl.alarms.catalogue import catalogue
from opsctl.alarms.mute import Mute, begin
from opsctl.config.model import Config
from opsctl.procedure import Notice
from tests.opsctl.alarms.live import CONFIG, seen
from tests.opsctl.snapshots import Driven, config
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal

NOON = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


class CloudWatch:
    def __init__(self) -> None:
        self.rules: list[dict[str, Any]] = []
        self.fails: Exception | None = None

    def put_alarm_mute_rule(self, **rule: Any) -> None:
        if self.fails:
            raise self.fails
        self.rules.append(rule)

    @property
    def windows(self) -> list[tuple[str, str]]:
        schedules = [rule["Rule"]["Schedule"] for rule in self.rules]
        return [(one["Expression"], one["Duration"]) for one in schedules]


class World:
    def __init__(self) -> None:
        self.cloudwatch, self.time = CloudWatch(), NOON
        self.clients = cast(Any, Clients(CloudFormation(), cloudwatch=self.cloudwatch))

    def mute(self, of: Config = CONFIG, **live: Any) -> tuple[Mute, list[Notice]]:
        driven = Driven(begin(self.clients, of, now=lambda: self.time), lambda look: seen(**live))
        return cast(Mute, driven.result), driven.of(Notice)


def test_a_roll_mutes_from_the_next_full_minute_for_a_window_that_ends_by_itself() -> None:
    world = World()
    _, [notice] = world.mute()
    assert world.cloudwatch.windows == [("at(2026-11-26T12:01)", "PT15M")]
    assert notice.text.endswith("now until 12:16 UTC") and not notice.warning


def test_a_window_that_would_begin_within_seconds_begins_a_minute_later() -> None:
    world = World()
    world.time = NOON + timedelta(seconds=28)
    world.mute()
    assert world.cloudwatch.windows == [("at(2026-11-26T12:02)", "PT15M")]


def test_an_outage_is_never_muted() -> None:
    world = World()
    world.mute()
    muted = set(world.cloudwatch.rules[0]["MuteTargets"]["AlarmNames"])
    assert "web-unhealthy-hosts" in muted and "web-cluster-cpu-reservation" in muted
    for name in ("healthy-hosts", "running-tasks", "unhealthy-routing", "cache-cpu"):
        assert f"web-{name}" not in muted
    many = config("load_balancer.cross_zone=false", "ecs.desired_count=2")
    muted = {one.name for one in catalogue(many, ["a", "b"]) if one.of_roll}
    assert "unhealthy-hosts-a" in muted and "healthy-hosts-a" not in muted


def test_what_rolls_a_deployment_back_is_not_muted() -> None:
    world = World()
    judged = (
        'alarms.roll_back_on=["unhealthy-hosts"]', 'ecs.breaker.alarms=["web-service-cpu"]',
    )  # fmt: skip
    world.mute(config("ecs.desired_count=2", *judged))
    muted = world.cloudwatch.rules[0]["MuteTargets"]["AlarmNames"]
    assert "web-service-memory" in muted
    assert "web-unhealthy-hosts" not in muted and "web-service-cpu" not in muted


def test_a_long_roll_mutes_again_in_turn_with_windows_that_overlap() -> None:
    world = World()
    mute, _ = world.mute()
    for _ in range(11):
        world.time += timedelta(minutes=1)
        mute.renew()
    assert [rule["Name"] for rule in world.cloudwatch.rules] == [
        "web-roll-1", "web-roll-2", "web-roll-1",
    ]  # fmt: skip
    assert [expression for expression, _ in world.cloudwatch.windows] == [
        "at(2026-11-26T12:01)", "at(2026-11-26T12:06)", "at(2026-11-26T12:11)",
    ]  # fmt: skip


@pytest.mark.parametrize("live", [{"live": False}])
def test_without_alarms_nothing_is_asked_and_nothing_said(live: dict[str, Any]) -> None:
    world = World()
    mute, notices = world.mute(**live)
    world.time += timedelta(hours=1)
    mute.renew()
    assert (world.cloudwatch.rules, notices) == ([], [])


def test_without_permission_to_mute_the_roll_warns_once_and_goes_on() -> None:
    world = World()
    world.cloudwatch.fails = refusal("PutAlarmMuteRule", "AccessDenied")
    mute, [notice] = world.mute()
    assert notice.warning and "could not be muted" in notice.text
    world.time += timedelta(hours=1)
    mute.renew()
    assert world.cloudwatch.rules == []


def test_a_renewal_that_fails_does_not_end_the_roll_and_is_made_again() -> None:
    world = World()
    mute, _ = world.mute()
    world.cloudwatch.fails = refusal("PutAlarmMuteRule", "Throttling")
    world.time += timedelta(minutes=6)
    mute.renew()
    assert len(world.cloudwatch.rules) == 1
    world.cloudwatch.fails = None
    mute.renew()
    assert len(world.cloudwatch.rules) == 1, "a call for each look would be throttled all the more"
    world.time += timedelta(minutes=1)
    mute.renew()
    assert [rule["Name"] for rule in world.cloudwatch.rules] == ["web-roll-1", "web-roll-2"]
