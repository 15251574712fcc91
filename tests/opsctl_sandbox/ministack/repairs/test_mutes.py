"""Alarm mute rules: what is muted is held back, and done if it is still so when the mute ends."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.ministack.repairs.mutes import Mutes
from opsctl_sandbox.wire.calls import Call, Refused
from tests.opsctl_sandbox.clients import Connect

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


class World:
    """One alarm `a`, a clock, and what was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ministack.services import cloudwatch

        self.time = NOON
        self.mutes = Mutes(lambda: self.time)
        self.alarm: dict[str, Any] = {"AlarmName": "a", "StateValue": "OK"}
        self.done: list[str] = []
        monkeypatch.setattr(
            cloudwatch, "_alarms", type("Known", (), {"_data": {("1", "us-east-1", "a"): {}}})
        )

    def dispatch(self, alarm: dict[str, Any], before: str, after: str, reason: str) -> None:
        self.done.append(after)

    def becomes(self, state: str) -> None:
        before, self.alarm["StateValue"] = self.alarm["StateValue"], state
        self.mutes.dispatching(self.dispatch)(self.alarm, before, state, "")

    def after(self, minutes: float) -> None:
        self.time = NOON + minutes * 60
        self.mutes.release(self.alarm, self.dispatch)

    def put(self, name: str = "r", at: str = "2026-11-26T12:01", lasts: str = "PT5M") -> None:
        schedule = {"Expression": f"at({at})", "Duration": lasts}
        targets = {"AlarmNames": ["a"]}
        self.call("Put", Name=name, Rule={"Schedule": schedule}, MuteTargets=targets)

    def call(self, verb: str, **parameters: Any) -> Any:
        name = f"{verb}AlarmMuteRule"
        operation = self.mutes.operations()["monitoring", name]
        asked = Call("monitoring", name, parameters, "us-east-1", "1")
        return asyncio.run(operation(asked, None))  # type: ignore[arg-type]  # asks nobody else


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_rule_is_scheduled_active_and_expired_by_the_clock(world: World) -> None:
    world.put()
    found = []
    for minutes in (0, 1, 5.9, 6):
        world.after(minutes)
        found.append(world.call("Get", AlarmMuteRuleName="r")["Status"])
    assert found == ["SCHEDULED", "ACTIVE", "ACTIVE", "EXPIRED"]


def test_an_alarm_that_rings_and_recovers_inside_the_window_notifies_nobody(world: World) -> None:
    world.put()
    world.after(2)
    world.becomes("ALARM")
    world.becomes("OK")
    world.after(3)
    assert world.done == []


def test_an_alarm_that_still_rings_at_the_windows_end_notifies_then_and_once(
    world: World,
) -> None:
    world.put()
    world.after(2)
    world.becomes("ALARM")
    world.after(6)
    world.after(7)
    assert world.done == ["ALARM"]


def test_overlapping_rules_mute_until_the_last_one_ends(world: World) -> None:
    world.put("one")
    world.put("two", at="2026-11-26T12:05")
    world.after(2)
    world.becomes("ALARM")
    world.after(7)
    assert world.done == []
    world.after(10)
    assert world.done == ["ALARM"]


def test_a_rule_that_is_deleted_mutes_no_longer(world: World) -> None:
    world.put()
    world.after(2)
    world.becomes("ALARM")
    world.call("Delete", AlarmMuteRuleName="r")
    world.after(2)
    assert world.done == ["ALARM"]


@pytest.mark.parametrize("bad", [{"lasts": "PT0M"}, {"lasts": "P16D"}, {"lasts": "P"}, {"at": "x"}])
def test_a_window_that_cannot_be_is_refused(world: World, bad: dict[str, str]) -> None:
    with pytest.raises(Refused):
        world.put(**bad)


def test_the_calls_work_and_ministack_alone_has_none_of_them(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudwatch = connect("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=unique, Namespace=unique, MetricName="m", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    schedule: Any = {"Expression": "at(2035-01-01T00:00)", "Duration": "PT1H", "Timezone": "UTC"}
    for names, refused in (([unique], False), ([f"{unique}-x"], True)):
        try:
            cloudwatch.put_alarm_mute_rule(
                Name=unique, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": names}
            )
        except ClientError as error:
            assert refused and "do not exist" in str(error)
        else:
            assert not refused
    [rule] = cloudwatch.list_alarm_mute_rules(AlarmName=unique)["AlarmMuteRuleSummaries"]
    assert (rule["Status"], rule["MuteType"]) == ("SCHEDULED", "ONE_TIME")
    assert rule["AlarmMuteRuleArn"].endswith(f":alarm-mute-rule:{unique}")
    got = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=unique)
    assert got["MuteTargets"] == {"AlarmNames": [unique]}
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName=unique)
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName=unique)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=unique)
    with pytest.raises(ClientError):
        plain("cloudwatch").list_alarm_mute_rules()
