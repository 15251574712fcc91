from datetime import UTC, datetime

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
