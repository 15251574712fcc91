from datetime import UTC, datetime, timedelta
from typing import Any

from opsctl.snapshot import alarms
from opsctl.snapshot.alarms import AlarmHistory, AlarmState
from tests.opsctl.snapshot.conftest import Stub

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def test_an_alarm_has_its_state_since_when_and_why(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    alarm = {
        "AlarmName": "web-healthy-hosts",
        "StateValue": "ALARM",
        "StateReason": "Threshold Crossed",
        "StateTransitionedTimestamp": NOW,
        "MetricName": "HealthyHostCount",
        "Threshold": 8.0,
    }
    stubber.add_response(
        "describe_alarms",
        {"MetricAlarms": [alarm]},
        {"AlarmNamePrefix": "web-", "AlarmTypes": ["MetricAlarm"]},
    )
    [read] = alarms.read(cloudwatch, "web-")
    assert read.rings
    assert (read.name, read.reason, read.since) == ("web-healthy-hosts", "Threshold Crossed", NOW)


def test_an_alarm_has_its_condition_as_cloudwatch_has_it(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    alarm = {
        "AlarmName": "web-x",
        "StateValue": "OK",
        "Namespace": "AWS/ECS",
        "Dimensions": [
            {"Name": "ServiceName", "Value": "s"},
            {"Name": "ClusterName", "Value": "c"},
        ],
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 5,
        "TreatMissingData": "ignore",
        "ActionsEnabled": False,
        "AlarmActions": ["arn:topic"],
    }
    stubber.add_response("describe_alarms", {"MetricAlarms": [alarm]})
    [read] = alarms.read(cloudwatch, "web-")
    assert read.dimensions == (("ClusterName", "c"), ("ServiceName", "s"))
    assert (read.period, read.periods, read.points, read.missing) == (300, 5, 5, "ignore")
    assert (read.actions, read.to, read.to_ok) == (False, ("arn:topic",), ())


CHANGED = (
    '{"oldState": {"stateValue": "OK"}, "newState": {"stateValue": "ALARM", '
    '"stateReason": "1 datapoint"}}'
)


def item(name: str, minutes: int, data: str = CHANGED) -> dict[str, object]:
    return {
        "AlarmName": name,
        "Timestamp": NOW + timedelta(minutes=minutes),
        "HistoryData": data,
        "HistorySummary": "Alarm updated",
    }


def alarm(name: str, minutes: int) -> AlarmState:
    return AlarmState(name, "ALARM", since=NOW + timedelta(minutes=minutes))


class History:
    """Answers with the items of one alarm, and counts who was asked for."""

    def __init__(self, *items: dict[str, object]) -> None:
        self.items = list(items)
        self.names: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_alarm_history"
        return self

    def paginate(self, *, AlarmName: str, HistoryItemType: str, StartDate: datetime) -> Any:
        self.names.append(AlarmName)
        return [{"AlarmHistoryItems": [one]} for one in self.items if one["AlarmName"] == AlarmName]


def test_changes_are_read_alarm_by_alarm_oldest_first(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    stubber.add_response(
        "describe_alarm_history",
        {"AlarmHistoryItems": [item("web-b", 5, "not JSON"), item("web-b", 1)]},
        {"AlarmName": "web-b", "HistoryItemType": "StateUpdate", "StartDate": NOW},
    )
    first, second = alarms.changes(cloudwatch, [alarm("web-b", 5)], NOW, {})
    assert (first.name, first.before, first.after) == ("web-b", "OK", "ALARM")
    assert first.reason == "1 datapoint"
    assert (second.name, second.after, second.reason) == ("web-b", "", "Alarm updated")


def test_only_alarms_that_have_changed_are_asked_about_and_once_for_each_change() -> None:
    history: Any = History(item("web-a", 1), item("web-b", 5))
    known: dict[str, AlarmHistory] = {}
    states = [alarm("web-a", 1), alarm("web-b", 5), alarm("web-quiet", -60)]
    for _ in range(3):
        read = alarms.changes(history, states, NOW, known)
        assert [one.name for one in read] == ["web-a", "web-b"]
    assert sorted(history.names) == ["web-a", "web-b"]
    later = NOW + timedelta(minutes=3)
    assert [one.name for one in alarms.changes(history, states, later, known)] == ["web-b"]
    history.items.append(item("web-a", 7))
    read = alarms.changes(history, [alarm("web-a", 7)], NOW, known)
    assert [one.time.minute for one in read] == [1, 7]
    assert history.names.count("web-a") == 2


def test_a_change_that_the_history_does_not_show_yet_is_asked_for_again() -> None:
    history: Any = History()
    known: dict[str, AlarmHistory] = {}
    assert alarms.changes(history, [alarm("web-a", 1)], NOW, known) == ()
    history.items.append(item("web-a", 1))
    assert len(alarms.changes(history, [alarm("web-a", 1)], NOW, known)) == 1
