"""What AWS did beside the lines: told in words, once, on the lines' own clock."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from opsctl.logs.aws_events import BAD, aws_events
from opsctl.logs.aws_events_feed import AwsEvents
from opsctl.logs.events import LogEvent, Notice
from opsctl.snapshot.alarms import AlarmChange
from opsctl.snapshot.releases import Release
from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.snapshot import Look, Snapshot, Unread
from opsctl.snapshot.stacks import StackEvent
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import NAMES, OLD, START, service

SINCE = int((START - timedelta(minutes=5)).timestamp() * 1000)


EVENTS = Look(frozenset({"targets", "stack_events", "alarm_changes"}), ())


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def happened(now: Snapshot, before: Snapshot | None = None) -> list[tuple[str, str, str]]:
    return [(one.source, one.stream, one.message) for one in aws_events(before, now)]


def test_everything_that_happened_stands_in_its_order() -> None:
    now = Snapshot(
        later(60),
        NAMES,
        service=replace(
            service(),
            events=(ServiceEvent("e", "(service web) was unable to place a task.", later(4)),),
        ),
        tasks=(
            Task("0f3a91bc", "STOPPED", OLD, "d1", "", "us-east-1a", started=later(2),
                 stopped=later(3)),
        ),
        stack_events=(
            StackEvent("s", later(1), "web-ecs", "Service", "", "T", "UPDATE_FAILED", "no room"),
        ),
        alarm_changes=(AlarmChange("web-healthy-hosts", later(5), "OK", "ALARM", "1 < 2"),),
        releases=(
            Release(
                7, START, who="arn:aws:iam::1:user/ann", image=f"web@sha256:{'2' * 64}",
                outcome="rolled-back", reason="it exited 1", ended=later(6),
            ),
        ),
    )  # fmt: skip
    events = happened(now)
    assert [(kind, subject) for kind, subject, _ in events] == [
        ("release", "7"),
        ("stack", "web-ecs"),
        ("task", "0f3a91bc"),
        ("task", "0f3a91bc"),
        ("service", "web"),
        ("alarm", "healthy-hosts"),
        ("release", "7"),
    ]
    texts = [text for _, _, text in events]
    assert texts[0] == "began by ann, image sha256:222222222222"
    assert texts[1] == f"{BAD}UPDATE_FAILED Service: no room"
    assert texts[2] == "runs web:1 in us-east-1a"
    assert texts[4] == f"{BAD}was unable to place a task."
    assert texts[5] == f"{BAD}OK → ALARM: 1 < 2"
    assert texts[6] == f"{BAD}rolled-back: it exited 1"


def test_a_target_is_told_when_its_health_is_another() -> None:
    targets = (Target("i-1:80", "initial"), Target("i-2:80", "healthy"))
    before = Snapshot(START, NAMES, EVENTS, targets=targets)
    now = Snapshot(later(5), NAMES, EVENTS, targets=(Target("i-1:80", "unhealthy"),))
    assert happened(now, before) == [
        ("target", "i-1:80", f"{BAD}initial → unhealthy"),
        ("target", "i-2:80", "healthy → deregistered"),
    ]
    assert happened(now) == []


def test_targets_that_could_not_be_read_once_have_not_been_deregistered() -> None:
    healthy = Snapshot(START, NAMES, EVENTS, targets=(Target("i-1:80", "healthy"),))
    blind = Snapshot(later(5), NAMES, EVENTS, unread=(Unread("targets", "Throttling"),))
    ill = replace(healthy, at=later(10), targets=(Target("i-1:80", "unhealthy"),))
    items = fed(Looks(healthy, blind, ill))
    assert [one.kind if isinstance(one, Notice) else one.message for one in items] == [
        "denied",
        f"{BAD}healthy → unhealthy",
    ]


def test_stack_events_of_an_outage_are_read_after_it() -> None:
    seen = Snapshot(START, NAMES, EVENTS)
    blind = replace(seen, at=later(600), unread=(Unread("stack_events", "no answer"),))
    looks = Looks(seen, blind, seen, blind)
    kinds = [one.kind for one in fed(looks) if isinstance(one, Notice)]
    assert looks.looks[2].since == looks.looks[1].since
    assert kinds == ["denied", "denied"], "a second outage is said, too"


class Looks:
    """Answers each look; the feed's thread is over when there is no answer left."""

    def __init__(self, *answers: Snapshot | Exception) -> None:
        self.answers = list(answers)
        self.looks: list[Look] = []

    def __call__(self, look: Look) -> Snapshot:
        self.looks.append(look)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def fed(looks: Looks, until: int | None = None) -> list[LogEvent | Notice]:
    feed = AwsEvents(looks, every=0.0)
    take: Callable[[], Any] = feed.take
    feed._over.is_set = lambda: not looks.answers  # type: ignore[method-assign]  # ends the loop
    feed._run(SINCE, until)
    assert feed.past
    return list(take())


def test_an_event_that_is_seen_again_and_again_is_told_once() -> None:
    seen = Snapshot(later(5), NAMES, releases=(Release(7, START),))
    looks = Looks(seen, seen, replace(seen, at=later(10)))
    assert len(fed(looks)) == 1
    assert looks.looks[0].since == START - timedelta(minutes=5)


def test_what_cannot_be_read_is_said_once_and_the_rest_goes_on() -> None:
    unread = (Unread("alarm_changes", "AccessDenied"),)
    seen = Snapshot(later(5), NAMES, releases=(Release(7, START),), unread=unread)
    kinds = [one.kind if isinstance(one, Notice) else "event" for one in fed(Looks(seen, seen))]
    assert kinds == ["denied", "event"]


def test_whatever_a_look_raises_the_next_one_is_taken() -> None:
    seen = Snapshot(later(5), NAMES, releases=(Release(7, START),))
    items = fed(Looks(ValueError("odd"), ValueError("odd"), seen))
    assert [isinstance(one, Notice) for one in items] == [True, False]


def test_what_was_before_the_beginning_or_after_the_end_is_not_told() -> None:
    seen = Snapshot(
        later(5), NAMES, releases=(Release(6, START - timedelta(hours=1)), Release(7, START))
    )
    [event] = fed(Looks(seen), until=int(later(60).timestamp() * 1000))
    assert isinstance(event, LogEvent) and event.stream == "7"


def test_a_service_event_leaves_the_ids_of_tasks_to_the_lines_of_the_tasks() -> None:
    text = "(service web) has started 2 tasks: (task 0f3a91bc) (task 1e2d4c6a)."
    now = Snapshot(
        START, NAMES, service=replace(service(), events=(ServiceEvent("e", text, START),))
    )
    [event] = aws_events(None, now)
    assert event.message == "has started 2 tasks."
