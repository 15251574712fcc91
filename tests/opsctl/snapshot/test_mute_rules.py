from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl.snapshot import mute_rules
from opsctl.snapshot.mute_rules import MuteRule
from tests.opsctl.snapshot.conftest import Stub


def read(stub: Stub, schedule: dict[str, str], *names: str, **more: Any) -> tuple[MuteRule, ...]:
    cloudwatch, stubber = stub("cloudwatch")
    arn = "arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:web-roll-1"
    summaries = {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn, "Status": "ACTIVE"}]}
    rule = {"Rule": {"Schedule": schedule}, "MuteTargets": {"AlarmNames": list(names)}, **more}
    stubber.add_response("list_alarm_mute_rules", summaries, {"Statuses": ["ACTIVE"]})
    stubber.add_response("get_alarm_mute_rule", rule, {"AlarmMuteRuleName": "web-roll-1"})
    return mute_rules.read(cloudwatch, "web-")


def test_a_rule_has_its_alarms_of_the_system_and_the_end_of_its_window(stub: Stub) -> None:
    schedule = {"Expression": "at(2026-11-26T12:01)", "Duration": "PT15M", "Timezone": "UTC"}
    [rule] = read(stub, schedule, "web-service-cpu", "other-alarm")
    assert (rule.name, rule.alarms) == ("web-roll-1", ("web-service-cpu",))
    assert rule.until == datetime(2026, 11, 26, 12, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "until"),
    [
        (("at(2026-07-01T12:00)", "P1DT2H", "Europe/Berlin"), "2026-07-02T12:00:00+00:00"),
        (("at(2026-07-01T12:00)", "PT1H", "Nowhere/Land"), None),
        (("at(2026-07-01T12:00)", "P2W", "UTC"), None),
        (("cron(0 2 * * *)", "PT4H", "UTC"), None),
    ],
)
def test_the_end_is_known_only_of_a_window_of_one_time(
    stub: Stub, schedule: tuple[str, str, str], until: str | None
) -> None:
    words = dict(zip(("Expression", "Duration", "Timezone"), schedule, strict=True))
    [rule] = read(stub, words, "web-a")
    assert (rule.until and rule.until.isoformat()) == until
    assert rule.schedule == f"{schedule[0]} for {schedule[1]}"


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
    assert mute_rules.read(cloudwatch, "web-") == ()


def test_who_may_list_rules_and_not_read_them_knows_of_none(stub: Stub) -> None:
    cloudwatch, stubber = stub("cloudwatch")
    arn = "arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:r"
    stubber.add_response(
        "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": arn}]}
    )
    stubber.add_client_error("get_alarm_mute_rule", "AccessDenied")
    with pytest.raises(ClientError):
        mute_rules.read(cloudwatch, "web-")
