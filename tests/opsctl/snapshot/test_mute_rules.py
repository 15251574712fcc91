from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl.snapshot import mute_rules
from opsctl.snapshot.mute_rules import MuteRule
from tests.opsctl.snapshot.conftest import Stub

NOW = datetime(2026, 11, 26, 12, 10, 30, tzinfo=UTC)


def read(stub: Stub, schedule: dict[str, str], *names: str, **more: Any) -> tuple[MuteRule, ...]:
    cloudwatch, stubber = stub("cloudwatch")
    arn = "arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:web-roll-1"
    summaries = {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn, "Status": "ACTIVE"}]}
    rule = {"Rule": {"Schedule": schedule}, "MuteTargets": {"AlarmNames": list(names)}, **more}
    stubber.add_response("list_alarm_mute_rules", summaries, {"Statuses": ["ACTIVE"]})
    stubber.add_response("get_alarm_mute_rule", rule, {"AlarmMuteRuleName": "web-roll-1"})
    return mute_rules.read(cloudwatch, "web-", NOW)


def test_a_rule_has_its_alarms_of_the_system_and_the_end_of_its_window(stub: Stub) -> None:
    schedule = {"Expression": "at(2026-11-26T12:01)", "Duration": "PT15M", "Timezone": "UTC"}
    [rule] = read(stub, schedule, "web-service-cpu", "other-alarm")
    assert (rule.name, rule.alarms) == ("web-roll-1", ("web-service-cpu",))
    assert rule.until == datetime(2026, 11, 26, 12, 16, tzinfo=UTC)


def test_a_rule_names_its_schedule_and_the_end_of_the_window_of_now(stub: Stub) -> None:
    schedule = {"Expression": "cron(0 10-13 * * *)", "Duration": "PT2H", "Timezone": "UTC"}
    [rule] = read(stub, schedule, "web-a")
    assert rule.until == datetime(2026, 11, 26, 15, tzinfo=UTC)
    assert rule.schedule == "cron(0 10-13 * * *) for PT2H"


def test_a_rule_ends_when_it_expires(stub: Stub) -> None:
    schedule = {"Expression": "at(2026-11-26T12:00)", "Duration": "P2D"}
    expires = datetime(2026, 11, 27, tzinfo=UTC)
    [rule] = read(stub, schedule, "web-a", ExpireDate=expires)
    assert rule.until == expires


def test_rules_of_others_are_left_out(stub: Stub) -> None:
    assert read(stub, {"Expression": "at(2026-11-26T12:00)", "Duration": "PT1H"}, "other") == ()


def test_a_rule_that_was_deleted_meanwhile_mutes_nothing(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    arn = "arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:r"
    summaries = {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn, "Status": "ACTIVE"}]}
    stubber.add_response("list_alarm_mute_rules", summaries)
    stubber.add_client_error("get_alarm_mute_rule", "ResourceNotFoundException")
    assert mute_rules.read(cloudwatch, "web-", NOW) == ()


def test_who_may_list_rules_and_not_read_them_knows_of_none(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    arn = "arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:r"
    stubber.add_response(
        "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn}]}
    )
    stubber.add_client_error("get_alarm_mute_rule", "AccessDenied")
    with pytest.raises(ClientError):
        mute_rules.read(cloudwatch, "web-", NOW)
