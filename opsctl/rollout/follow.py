"""Watch one deployment: what changed since the last look, until its outcome is certain."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from opsctl.rollout import outcome
from opsctl.rollout.outcome import Goal, Outcome
from opsctl.snapshot.service import Observation, Task

# ECS lists every task by its id; how many there are is said already.
_TASKS = re.compile(r":?(?: \(task [0-9a-f]+\))+")
# A target may have gone before it was looked at; the service's events keep what was wrong.
_UNHEALTHY = re.compile(r"is unhealthy in .* due to \(reason (.+)\)")


@dataclass(frozen=True, slots=True)
class RolloutEvent:
    kind: Literal["counts", "stopped", "target", "message", "wave", "outcome"]
    text: str
    outcome: Outcome | None = None
    bad: bool = False


@dataclass
class Watch:
    """Remembers what was told already, so that each thing is told once.

    `ours` is the id of the deployment that runs `image`, once it was seen to be the primary;
    `failed` is its first failing task, and `said` asks for the last line that a task wrote.
    """

    observe: Callable[[], Observation]
    images: Callable[[str], Collection[str]]
    image: str
    goal: Goal
    last: Observation
    ours: str = ""
    failed: Task | None = None
    said: Callable[[Task], str] = lambda task: ""
    _sick: str = ""
    _seen: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _looked_up: set[str] = field(default_factory=set)

    @classmethod
    def start(
        cls,
        observe: Callable[[], Observation],
        images: Callable[[str], Collection[str]],
        *,
        image: str,
        forced: bool = False,
        joined: bool = False,
        said: Callable[[Task], str] = lambda task: "",
    ) -> "Watch":
        """Look once before anything is changed, so that only what is new is told.

        `images` are those of a task definition, which is how the deployment of `image` is known.
        With `joined` it began before this, and its tasks that stopped meanwhile are news.
        """
        now = observe()
        primary = now.primary
        goal = Goal(
            frozenset(),
            before=primary.id if primary else "",
            before_definition=primary.task_definition if primary else "",
            forced=forced,
            known=frozenset(each.id for each in now.deployments),
        )
        watch = cls(observe, images, image, goal, now, said=said)
        watch._seen = {each.id for each in now.messages}
        watch._seen |= set() if joined else {task.id for task in now.stopped}
        return watch

    def look(self) -> Iterator[RolloutEvent]:
        """Observe and yield what is new."""
        now = self.observe()
        self._learn(now)
        primary = now.primary
        if not self.ours and primary is not None and self.goal.is_ours(primary):
            self.ours = primary.id
        yield from self._news(now)
        self.last = now

    def verdict(self) -> Outcome | None:
        found = outcome.judge(self.last, self.goal, ours=self.ours)
        if found is not None and found.kind == "rolled-back":
            return replace(found, reason=self.because(found.reason))
        return found

    def because(self, told: str) -> str:
        """What was told of the end, after the reason that the tasks gave for it."""
        if self.failed is None:
            return told
        more = self._sick if self.failed.sick else ""
        line = self.said(self.failed) if self.failed.ran else ""
        words = (f": {more}" if more else "") + (f", and last said: {line}" if line else "")
        return f"a task stopped: {self.failed.why.rstrip('.')}{words}; {told}"

    def _learn(self, now: Observation) -> None:
        """Find out which task definitions run the image asked for."""
        for each in now.deployments:
            definition = each.task_definition
            if definition not in self._looked_up:
                self._looked_up.add(definition)
                if self.image in self.images(definition):
                    self.goal = replace(
                        self.goal, task_definitions=self.goal.task_definitions | {definition}
                    )

    def _news(self, now: Observation) -> Iterator[RolloutEvent]:
        for task in now.stopped:
            if task.id not in self._seen:
                self._seen.add(task.id)
                if self._is_ours(task):
                    yield self._stop(task)
        yield from self._health(now)
        for message in now.messages:
            if message.id not in self._seen:
                self._seen.add(message.id)
                if found := _UNHEALTHY.search(message.text):
                    self._sick = self._sick or found[1]
                yield RolloutEvent("message", _TASKS.sub("", message.text))
        if _counts(now, self.goal) != _counts(self.last, self.goal):
            yield RolloutEvent("counts", _counts(now, self.goal))

    def _is_ours(self, task: Task) -> bool:
        """A deployment that failed between two looks was never seen, but its tasks still are."""
        return task.deployment == self.ours if self.ours else task.deployment != self.goal.before

    def _stop(self, task: Task) -> RolloutEvent:
        why = task.why
        if task.failed:
            self.failed = self.failed or task
        told, self._told = why in self._told, self._told | {why}
        return RolloutEvent(
            "stopped",
            f"task {task.id} stopped{' likewise' if told else f': {why}'}",
            bad=task.failed,
        )

    def _health(self, now: Observation) -> Iterator[RolloutEvent]:
        before = {each.id: (each.state, each.reason) for each in self.last.targets}
        for each in now.targets:
            if before.get(each.id) != (each.state, each.reason):
                reason = f" ({each.reason})" if each.reason else ""
                if each.state == "unhealthy":
                    self._sick = f"{each.description or 'unhealthy'}{reason}"
                yield RolloutEvent(
                    "target",
                    f"target {each.id} is {each.state}{reason}",
                    bad=each.state == "unhealthy",
                )


def follow(
    watch: Watch,
    *,
    sleep: Callable[[float], None],
    now: Callable[[], float],
    timeout: float,
    act: Callable[[], Iterable[RolloutEvent]] = tuple,
) -> Iterator[RolloutEvent]:
    """Yield events until the outcome, which is the last one; `act` may help after each look."""
    deadline, pause = now() + timeout, 0.3
    while True:
        news = False
        for event in chain(watch.look(), act()):
            news = True
            yield event
        verdict = watch.verdict()
        if verdict is None and now() >= deadline:
            verdict = outcome.give_up(watch.last, watch.goal)
        if verdict is not None:
            yield RolloutEvent("outcome", verdict.kind, outcome=verdict)
            return
        # Quick while things move, gentle while they do not.
        pause = 0.3 if news else min(pause * 1.4, 5.0)
        sleep(pause)


def _counts(now: Observation, goal: Goal) -> str:
    new = sum(each.running for each in now.deployments if goal.is_ours(each))
    pending = sum(each.pending for each in now.deployments if goal.is_ours(each))
    old = sum(each.running for each in now.deployments if not goal.is_ours(each))
    health = f", {outcome.healthy(now)} targets healthy" if now.targets else ""
    return f"{new} of {now.desired} new tasks run, {pending} start, {old} old remain{health}"
