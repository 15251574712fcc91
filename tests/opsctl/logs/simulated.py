"""FilterLogEvents as the API describes it, on a clock of its own, with all that goes wrong."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

EPOCH = 1_795_000_000.0  # seconds; the server's clock at the start of a simulation


@dataclass(frozen=True, order=True)
class Written:
    timestamp: int
    ingested: int
    id: str
    stream: str
    group: str
    message: str = "hello"


@dataclass
class Troubles:
    throttled: float = 0.0
    unreachable: float = 0.0
    refused_token: float = 0.0
    stuck_token: float = 0.0
    empty_page: float = 0.0
    expired: float = 0.0


class Stopped(Exception):
    pass


@dataclass
class Clock:
    """Monotonic seconds since the start; `skew` is how wrong the local wall clock is."""

    skew: float = 0.0
    at: float = 0.0
    stop: float = float("inf")

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return EPOCH + self.at + self.skew

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        if self.at >= self.stop:
            raise Stopped

    @property
    def server(self) -> int:
        return int((EPOCH + self.at) * 1000)


@dataclass
class SimulatedLogs:
    clock: Clock
    written: Sequence[Written]
    page: int = 10_000
    latency: float = 0.05
    troubles: Troubles = field(default_factory=Troubles)
    dice: random.Random = field(default_factory=lambda: random.Random(0))
    groups: frozenset[str] = frozenset({"app", "stdout", "ecs", "agent"})
    calls: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sorted = sorted(self.written)
        self._stamps = [event.timestamp for event in self._sorted]
        self._places = {event.id: event for event in self.written}

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.calls.append(self.clock.at)
        self.clock.sleep(self.latency * (0.5 + self.dice.random()))
        self._trouble(request)
        token = request.get("nextToken")
        if token and self._happens(self.troubles.stuck_token):
            return self._answer([], token)
        first = bisect_left(self._stamps, request["startTime"])
        last = bisect_right(self._stamps, request["endTime"])
        now, group = self.clock.server, request["logGroupName"]
        prefix = request.get("logStreamNamePrefix", "")
        visible = [
            event
            for event in self._sorted[first:last]
            if event.group == group and event.ingested <= now and event.stream.startswith(prefix)
        ]
        # A token is a place behind an event: what is written before that place stays unseen.
        place = self._places.get(token) if token else None
        start = bisect_right(visible, place) if place else 0
        size = min(self.page, request["limit"])
        if not place and visible and self._happens(self.troubles.empty_page):
            return self._answer([], "empty")
        events = visible[start : start + size]
        more = start + size < len(visible)
        return self._answer(events, events[-1].id if more else None)

    def _trouble(self, request: dict[str, Any]) -> None:
        if request["logGroupName"] not in self.groups:
            self._refuse("ResourceNotFoundException", 400)
        if self._happens(self.troubles.throttled):
            self._refuse("ThrottlingException", 400)
        if self._happens(self.troubles.expired):
            self._refuse("ExpiredTokenException", 400)
        if self._happens(self.troubles.unreachable):
            if self.dice.random() < 0.5:
                self._refuse("ServiceUnavailableException", 503)
            self.clock.sleep(1)
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")
        if request.get("nextToken") and self._happens(self.troubles.refused_token):
            self._refuse("InvalidParameterException", 400)

    def _happens(self, share: float) -> bool:
        return self.dice.random() < share

    def _answer(self, events: Sequence[Written], token: str | None) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "events": [
                {
                    "timestamp": event.timestamp,
                    "ingestionTime": event.ingested,
                    "logStreamName": event.stream,
                    "eventId": event.id,
                    "message": event.message,
                }
                for event in events
            ],
            "ResponseMetadata": self._metadata(200),
        }
        return {**answer, "nextToken": token} if token else answer

    def _metadata(self, status: int) -> dict[str, Any]:
        date = formatdate(int(self.clock.server / 1000), usegmt=True)
        return {"HTTPStatusCode": status, "HTTPHeaders": {"date": date}}

    def _refuse(self, code: str, status: int) -> None:
        response: Any = {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": self._metadata(status),
        }
        raise ClientError(response, "FilterLogEvents")
