from datetime import UTC, datetime, timedelta

from opsctl.snapshot import alarms
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


def test_changes_are_of_the_systems_own_alarms_oldest_first(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")

    def item(name: str, minutes: int, data: str) -> dict[str, object]:
        return {
            "AlarmName": name,
            "Timestamp": NOW + timedelta(minutes=minutes),
            "HistoryData": data,
            "HistorySummary": "Alarm updated",
        }

    data = (
        '{"oldState": {"stateValue": "OK"}, "newState": {"stateValue": "ALARM", '
        '"stateReason": "1 datapoint"}}'
    )
    items = [item("web-b", 5, "not JSON"), item("other-a", 3, data), item("web-a", 1, data)]
    stubber.add_response(
        "describe_alarm_history",
        {"AlarmHistoryItems": items},
        {"AlarmTypes": ["MetricAlarm"], "HistoryItemType": "StateUpdate", "StartDate": NOW},
    )
    first, second = alarms.changes(cloudwatch, "web-", NOW)
    assert (first.name, first.before, first.after) == ("web-a", "OK", "ALARM")
    assert first.reason == "1 datapoint"
    assert (second.name, second.after, second.reason) == ("web-b", "", "Alarm updated")
