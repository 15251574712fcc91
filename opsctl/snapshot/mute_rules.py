"""The mute rules that keep alarms of the system from taking actions now.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_DURATION = re.compile(r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?")


@dataclass(frozen=True, slots=True)
class MuteRule:
    """A rule that mutes these `alarms` now. With `until` None it recurs by its `schedule`,
    and CloudWatch does not say when the current window ends.
    """

    name: str
    alarms: tuple[str, ...]
    until: datetime | None = None
    schedule: str = ""


def read(cloudwatch: "CloudWatchClient", prefix: str) -> tuple[MuteRule, ...]:
    """Return the active rules about alarms whose names begin with `prefix`, with those alarms."""
    pages = cloudwatch.get_paginator("list_alarm_mute_rules").paginate(Statuses=["ACTIVE"])
    arns = [one["AlarmMuteRuleArn"] for page in pages for one in page["AlarmMuteRuleSummaries"]]
    names = [arn.partition(":alarm-mute-rule:")[2] for arn in arns]
    rules = together([partial(_rule, cloudwatch, name, prefix) for name in names])
    return tuple(rule for rule in rules if rule is not None and rule.alarms)


def _rule(cloudwatch: "CloudWatchClient", name: str, prefix: str) -> MuteRule | None:
    try:
        kept = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=name)
    except Exception as error:
        if aws.code(error) in ("ResourceNotFoundException", "ResourceNotFound"):
            return None  # deleted since it was listed
        raise
    alarms = kept.get("MuteTargets", {}).get("AlarmNames", ())
    schedule = kept["Rule"]["Schedule"]
    return MuteRule(
        name,
        tuple(one for one in alarms if one.startswith(prefix)),
        _end(schedule, kept.get("ExpireDate")),
        f"{schedule['Expression']} for {schedule['Duration']}",
    )


def _end(schedule: Mapping[str, Any], expires: datetime | None) -> datetime | None:
    at, lasts = _AT.fullmatch(schedule["Expression"]), _DURATION.fullmatch(schedule["Duration"])
    zone = _zone(schedule.get("Timezone") or "UTC")
    if at is None or lasts is None or zone is None:
        return None
    days, hours, minutes = (int(part or 0) for part in lasts.groups())
    begin = datetime.fromisoformat(at[1]).replace(tzinfo=zone).astimezone(UTC)
    end = begin + timedelta(days=days, hours=hours, minutes=minutes)
    return min(end, expires) if expires else end


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # imported here because few rules have another zone

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None  # this machine has no such zone
