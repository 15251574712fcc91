"""Correct ministack's CloudWatch Logs: FilterLogEvents has pages, prefixes and patterns;
PutLogEvents checks order, age and size.

FilterLogEvents reads ministack's store itself, because ministack answers with one page only.
"""

import base64
import heapq
import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ministack.services import cloudwatch_logs

from opsctl_sandbox.ministack.filter_patterns.patterns import compile_pattern
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

Event = dict[str, Any]
Counted = Callable[[str, int, int], None]
_PAGE_EVENTS = 10_000
_PAGE_BYTES = 1 << 20
# A page also ends after so many events, matching or not: AWS returns empty pages with a token.
_PAGE_SCANNED = 50_000
_HOUR = 3_600_000
_DAY = 24 * _HOUR


async def filter_log_events(call: Call, ministack: Forward) -> Structure:
    request = call.parameters
    streams = _streams(call)
    matches = compile_pattern(request.get("filterPattern", ""))
    start, end = request.get("startTime", 0), request.get("endTime", 1 << 62)
    if end < start:
        raise _invalid("End time should not be before start time.")
    at, skip = _position(request.get("nextToken"), start)
    limit = request.get("limit", _PAGE_EVENTS)
    if not 1 <= limit <= _PAGE_EVENTS:
        raise _invalid(f"limit must be between 1 and {_PAGE_EVENTS}.")
    matching: list[Event] = []
    size = scanned = 0
    for event, stream in _merged(streams, at, end):
        timestamp = event["timestamp"]
        if timestamp == at and skip:
            skip -= 1
            continue
        full = len(matching) >= limit or size >= _PAGE_BYTES or scanned >= _PAGE_SCANNED
        if full:
            return _page(matching, token=_token(timestamp, _seen(streams, event, stream)))
        scanned += 1
        if matches(event["message"]):
            size += len(event["message"]) + 26
            matching.append({**event, "logStreamName": stream})
    return _page(matching, token=None)


def _page(events: list[Event], *, token: str | None) -> Structure:
    page: dict[str, Any] = {"events": events, "searchedLogStreams": []}
    return page | {"nextToken": token} if token else page


def _streams(call: Call) -> Mapping[str, Sequence[Event]]:
    request = call.parameters
    group = _group(call)["streams"]
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise _invalid("Either logStreamNames or logStreamNamePrefix may be given, not both.")
    for name in names or ():
        if name not in group:
            raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
    chosen = names or [name for name in group if name.startswith(prefix or "")]
    return {name: group[name]["events"] for name in chosen}


def _group(call: Call) -> dict[str, Any]:
    request = call.parameters
    identifier = request.get("logGroupName") or request.get("logGroupIdentifier") or ""
    name = identifier.split(":log-group:")[-1].removesuffix(":*")
    group: dict[str, Any] | None = cloudwatch_logs._log_groups._data.get(
        (call.account, call.region, name)
    )
    if group is None:
        raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
    return group


def _merged(
    streams: Mapping[str, Sequence[Event]], start: int, end: int
) -> Iterator[tuple[Event, str]]:
    return heapq.merge(
        *(_window(name, events, start, end) for name, events in streams.items()),
        key=lambda entry: (entry[0]["timestamp"], entry[0]["ingestionTime"]),
    )


def _window(
    name: str, events: Sequence[Event], start: int, end: int
) -> Iterator[tuple[Event, str]]:
    first = bisect_left(events, start, key=_timestamp)
    for index in range(first, bisect_right(events, end, key=_timestamp)):
        yield events[index], name


def _timestamp(event: Event) -> int:
    return int(event["timestamp"])


def _seen(streams: Mapping[str, Sequence[Event]], event: Event, stream: str) -> int:
    """Return how many events of the same millisecond come before this one."""
    at = event["timestamp"]
    for count, (other, name) in enumerate(_merged(streams, at, at)):
        if other is event and name == stream:
            return count
    return 0


def _token(at: int, skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([at, skip]).encode()).decode()


def _position(token: str | None, start: int) -> tuple[int, int]:
    if token is None:
        return start, 0
    try:
        at, skip = json.loads(base64.urlsafe_b64decode(token))
        return int(at), int(skip)
    except (ValueError, TypeError) as error:
        raise _invalid("The specified nextToken is invalid.") from error


async def put_log_events(call: Call, ministack: Forward, counted: Counted) -> Structure:
    events: list[Event] = call.parameters["logEvents"]
    stamps = [event["timestamp"] for event in events]
    if stamps != sorted(stamps):
        raise _invalid(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if len(events) > _PAGE_EVENTS:
        raise _invalid("Upload too large: more than 10000 events")
    if sum(len(event["message"].encode()) + 26 for event in events) > _PAGE_BYTES:
        raise _invalid(f"Upload too large: more than {_PAGE_BYTES} bytes")
    if stamps and stamps[-1] - stamps[0] > _DAY:
        raise _invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )
    now = int(time.time() * 1000)
    retention = _group(call).get("retentionInDays")
    old = bisect_left(stamps, now - 14 * _DAY)
    expired = bisect_left(stamps, now - retention * _DAY) if retention else 0
    new = bisect_right(stamps, now + 2 * _HOUR)
    rejected = {
        name: index
        for name, index, there in (
            ("tooOldLogEventEndIndex", old, old > 0),
            ("expiredLogEventEndIndex", expired, expired > 0),
            ("tooNewLogEventStartIndex", new, new < len(events)),
        )
        if there
    }
    kept = events[max(old, expired) : new]
    answer = await ministack({**call.parameters, "logEvents": kept})
    size = sum(len(event["message"]) + 26 for event in kept)
    counted(call.parameters["logGroupName"], len(kept), size)
    return {**answer, "rejectedLogEventsInfo": rejected} if rejected else answer


def _invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)


def operations(counted: Counted) -> Operations:
    """`counted` is called with the group, events and bytes received."""

    async def put(call: Call, ministack: Forward) -> Structure:
        return await put_log_events(call, ministack, counted)

    return {("logs", "FilterLogEvents"): filter_log_events, ("logs", "PutLogEvents"): put}
