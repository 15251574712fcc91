"""The mute rules that keep alarms of the system from taking actions now.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules.html
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.snapshot import mute_windows
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient


@dataclass(frozen=True, slots=True)
class MuteRule:
    """A rule that mutes these `alarms` now. `until` is None when its `schedule` names no end."""

    name: str
    alarms: tuple[str, ...]
    until: datetime | None = None
    schedule: str = ""


def read(cloudwatch: "CloudWatchClient", prefix: str, now: datetime) -> tuple[MuteRule, ...]:
    """Return the active rules about alarms whose names begin with `prefix`, with those alarms."""
    pages = cloudwatch.get_paginator("list_alarm_mute_rules").paginate(Statuses=["ACTIVE"])
    arns = [one["AlarmMuteRuleArn"] for page in pages for one in page["AlarmMuteRuleSummaries"]]
    names = [arn.partition(":alarm-mute-rule:")[2] for arn in arns]
    rules = together([partial(_rule, cloudwatch, name, prefix, now) for name in names])
    return tuple(rule for rule in rules if rule is not None and rule.alarms)


def _rule(cloudwatch: "CloudWatchClient", name: str, prefix: str, now: datetime) -> MuteRule | None:
    try:
        kept = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=name)
    except Exception as error:
        if aws.code(error) in ("ResourceNotFoundException", "ResourceNotFound"):
            return None  # deleted since it was listed
        raise
    alarms = kept.get("MuteTargets", {}).get("AlarmNames", ())
    schedule = kept["Rule"]["Schedule"]
    end, expires = mute_windows.end(schedule, now), kept.get("ExpireDate")
    return MuteRule(
        name,
        tuple(one for one in alarms if one.startswith(prefix)),
        min(end, expires) if end and expires else end,
        f"{schedule['Expression']} for {schedule['Duration']}",
    )
