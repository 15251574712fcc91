"""Alarm mute rules with one window. A muted alarm still changes its state but takes no action.

If the alarm is still in that state when the window ends, it takes the muted action. Source:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules-behaviour.html
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from ministack.services import cloudwatch

from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure
from opsctl_sandbox.wire.paging import paged

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_DURATION = re.compile(r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?")
_LEAST, _MOST = timedelta(minutes=1), timedelta(days=15)
Dispatch: TypeAlias = Callable[[dict[str, Any], str, str, str], None]


@dataclass(frozen=True)
class Rule:
    start: datetime
    end: datetime
    alarms: frozenset[str]
    request: Structure
    arn: str
    updated: datetime

    def status(self, now: datetime) -> str:
        if now >= self.end:
            return "EXPIRED"
        return "ACTIVE" if now >= self.start else "SCHEDULED"


class Mutes:
    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._rules: dict[str, Rule] = {}
        # alarm -> the action that it would have taken, until its mute ends.
        self._held: dict[str, tuple[str, str, str]] = {}

    def dispatching(self, dispatch: Dispatch) -> Dispatch:
        """Return a replacement of `dispatch` that holds back muted actions."""

        def dispatched(alarm: dict[str, Any], before: str, after: str, reason: str) -> None:
            if self._muted(alarm["AlarmName"]):
                self._held[alarm["AlarmName"]] = (before, after, reason)
                return
            self._held.pop(alarm["AlarmName"], None)
            dispatch(alarm, before, after, reason)

        return dispatched

    def release(self, alarm: dict[str, Any], dispatch: Dispatch) -> None:
        """Take the muted action if the mute has ended and the alarm is still in that state."""
        name = alarm["AlarmName"]
        if name in self._held and not self._muted(name):
            before, after, reason = self._held.pop(name)
            if alarm["StateValue"] == after:
                dispatch(alarm, before, after, reason)

    def operations(self) -> Operations:
        return {
            ("monitoring", "PutAlarmMuteRule"): self._put,
            ("monitoring", "GetAlarmMuteRule"): self._get,
            ("monitoring", "ListAlarmMuteRules"): paged(
                size=50, most=100, code="InvalidNextToken", whole=self._list
            ),
            ("monitoring", "DeleteAlarmMuteRule"): self._delete,
        }

    def _muted(self, alarm: str) -> bool:
        now = self._moment()
        return any(
            alarm in rule.alarms and rule.status(now) == "ACTIVE" for rule in self._rules.values()
        )

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    async def _put(self, call: Call, _: Forward) -> Structure:
        request, name = call.parameters, call.parameters["Name"]
        start, end = _window(request["Rule"]["Schedule"])
        alarms = frozenset(request.get("MuteTargets", {}).get("AlarmNames", ()))
        known = {str(scoped[-1]) for scoped in cloudwatch._alarms._data}
        if missing := alarms - known:
            raise Refused("ValidationError", f"Alarms do not exist: {', '.join(sorted(missing))}")
        arn = f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm-mute-rule:{name}"
        self._rules[name] = Rule(start, end, alarms, request, arn, self._moment())
        return {}

    async def _get(self, call: Call, _: Forward) -> Structure:
        name = call.parameters["AlarmMuteRuleName"]
        rule = self._rules.get(name)
        if rule is None:
            raise Refused(
                "ResourceNotFoundException", f"Mute rule {name} does not exist", status=404
            )
        kept = {key: value for key, value in rule.request.items() if key != "Tags"}
        return {**kept, **self._summary(rule)}

    async def _list(self, call: Call, _: Forward) -> Structure:
        alarm, statuses = call.parameters.get("AlarmName"), call.parameters.get("Statuses")
        rules = [
            self._summary(rule)
            for rule in self._rules.values()
            if alarm is None or alarm in rule.alarms
        ]
        chosen = [one for one in rules if not statuses or one["Status"] in statuses]
        return {"AlarmMuteRuleSummaries": chosen}

    async def _delete(self, call: Call, _: Forward) -> Structure:
        self._rules.pop(call.parameters["AlarmMuteRuleName"], None)
        return {}

    def _summary(self, rule: Rule) -> dict[str, Any]:
        return {
            "AlarmMuteRuleArn": rule.arn,
            "Status": rule.status(self._moment()),
            "MuteType": "ONE_TIME",
            "LastUpdatedTimestamp": rule.updated,
        }


def _window(schedule: Mapping[str, Any]) -> tuple[datetime, datetime]:
    at = _AT.fullmatch(schedule["Expression"])
    if at is None or schedule.get("Timezone", "UTC") != "UTC":
        raise Refused("ValidationError", "the sandbox keeps rules of `at(…)` in UTC only")
    lasts = _DURATION.fullmatch(schedule["Duration"])
    if lasts is None:
        raise Refused("ValidationError", f"Invalid duration: {schedule['Duration']}")
    days, hours, minutes = (int(part or 0) for part in lasts.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not _LEAST <= length <= _MOST:
        raise Refused("ValidationError", f"Invalid duration: {schedule['Duration']}")
    start = datetime.fromisoformat(at[1]).replace(tzinfo=UTC)
    return start, start + length
