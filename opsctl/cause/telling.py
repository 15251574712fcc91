"""Helpers that the rules share: evidence from tasks, the age of a deployment, what is over."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from opsctl.cause import task_failures
from opsctl.cause.cause import Cause, Confidence, Evidence
from opsctl.cause.history import History
from opsctl.cause.task_failures import GENERIC, TaskFailure
from opsctl.snapshot.snapshot import Snapshot

# What ECS and the agent say of an instance that takes no tasks.
JOIN_LOGS = "opsctl logs tail ecs agent --since 1h --no-follow"
# Makes again what somebody deleted, or sets it back.
REVERT = "opsctl ecs up --revert-drift"
_QUOTES = 3  # pieces of evidence of one kind
_KEEPS_ENDING = 3  # times that tasks ended after their deployment had completed
_LONGEST = 300  # characters of a quote
_FAMILY = re.compile(r"/([^/:]+):(\d+)$")
_NOISE = re.compile(r"(?:Error response from daemon: |\(RequestToken: \S+, )")


def quoted(text: str) -> str:
    """Return `text` on one line, cut to 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def brief(reason: str) -> str:
    """Return AWS's sentence without Docker's prefix and request tokens, cut like `quoted`."""
    return quoted(_NOISE.sub("", reason)).rstrip(".")


def of_tasks(failures: Sequence[TaskFailure]) -> tuple[Evidence, ...]:
    """Return the reason and the last log line of each of the newest failures."""
    evidence: list[Evidence] = []
    seen: set[str] = set()
    for failure in failures:
        task = failure.task
        said = _said(failure)
        if said in seen:
            continue
        seen.add(said)
        evidence.append(Evidence(f"task {task.id[:8]}", said, task.stopped))
        if len(evidence) == _QUOTES:
            break
    if len(failures) > len(evidence) == 1:
        evidence[0] = replace(evidence[0], quote=f"{evidence[0].quote} (and {_others(failures)})")
    return tuple(evidence)


def _others(failures: Sequence[TaskFailure]) -> str:
    rest = len(failures) - 1
    return f"{rest} more {'task' if rest == 1 else 'tasks'} the same"


def _said(failure: TaskFailure) -> str:
    code = failure.task.exit_code
    exited = f"exited {code}" if code is not None else ""
    reason = brief(failure.reason)
    parts = [
        exited,
        "" if GENERIC.fullmatch(reason) else reason,
        f'"{quoted(failure.last)}"' if failure.last else "",
    ]
    return " · ".join(filter(None, parts))


def cause(
    history: History,
    id: str,
    failures: Sequence[TaskFailure],
    sentence: str,
    *,
    next: str,
    confidence: Confidence = "certain",
    evidence: Sequence[Evidence] = (),
    lasting: bool = False,
) -> Cause:
    """Return a Cause with these failed tasks of one deployment as its evidence."""
    deployment = failures[0].task.deployment
    return Cause(
        id,
        sentence,
        confidence,
        (*of_tasks(failures), *evidence),
        next,
        over=passed(history, failures),
        lasting=lasting,
        count=len(failures),
        deployment=age(history, deployment),
        explains=frozenset({"breaker-tripped", "resource-failed", "stack-stuck", "no-progress"}),
    )


def last(failure: TaskFailure) -> str:
    """Return what the task says: its last log line when the reason only says that it exited, else
    the reason.
    """
    if failure.last and (failure.task.exited or not failure.reason):
        return quoted(failure.last)
    return brief(failure.reason) or "no reason given"


def plainly(
    id: str,
    words: str,
    *,
    says: Callable[[TaskFailure], str],
    next: str,
    lasting: bool = False,
) -> Callable[[History], Iterator[Cause]]:
    """Return a rule for a cause that needs only `words` and what `says` returns for the first
    failure.
    """

    def rule(history: History) -> Iterator[Cause]:
        for failures in task_failures.of(history, id).values():
            sentence = f"{words}: {says(failures[0])}"
            yield cause(history, id, failures, sentence, next=next, lasting=lasting)

    return rule


def age(history: History, deployment: str) -> int:
    """Return the time when the deployment began, in seconds since 1970. A newer one has a greater
    number.
    """
    known = history.deployments.get(deployment)
    if known is not None and known.created is not None:
        return int(known.created.timestamp())
    times = [
        task.created.timestamp()
        for task in history.tasks.values()
        if task.deployment == deployment and task.created
    ]
    return int(min(times, default=0.0))


def passed(history: History, failures: Sequence[TaskFailure]) -> bool:
    """Return whether these failures no longer matter.

    True when the service runs all its tasks and was not rolled back; and when the failures belong
    to an earlier release than the one under way, or to the time before a command that failed by
    itself.
    """
    last, began = failures[0].task, history.began
    before = began is not None and last.stopped is not None and last.stopped < began
    if history.ended_badly and before and last.deployment not in history.primaries:
        return True
    primary = history.now.primary
    if history.ended_badly or primary is None:
        return False
    newer = _revision(primary.task_definition) > _revision(last.task_definition)
    if newer and primary.created and last.stopped and last.stopped < primary.created:
        return True
    if not steady(history.now):
        return False
    state = history.now.stack("ecs")
    if state is not None and state.troubled:
        return False
    if last.deployment == primary.id:
        return not _goes_on(history, failures)
    # The stack was changed successfully after these failures.
    if state and state.changed and last.stopped and last.stopped < state.changed:
        return True
    return _revision(primary.task_definition) >= _revision(last.task_definition)


def _goes_on(history: History, failures: Sequence[TaskFailure]) -> bool:
    """Return whether tasks keep ending although their deployment has completed, as with a leak.

    Each is replaced, so the service looks well in between. It has passed once nothing ended for
    twice the longest time between two.
    """
    now = history.now
    own = next(
        (one for one in now.service_deployments if one.id == failures[0].task.deployment), None
    )
    if own is None or own.finished is None:
        return False
    ends = sorted(one.task.stopped for one in failures if one.task.stopped)
    ends = [end for end in ends if end > own.finished]
    if len(ends) < _KEEPS_ENDING:
        return False
    gaps = [later - earlier for earlier, later in pairwise(ends)]
    longest = max(gaps)
    # Tasks that started together also end together: what counts is how often that happened.
    often = sum(gap >= longest / 2 for gap in gaps) >= _KEEPS_ENDING - 1
    return often and now.at - ends[-1] < 2 * longest


def _revision(arn: str) -> int:
    match = _FAMILY.search(arn)
    return int(match[2]) if match else 0


def steady(now: Snapshot) -> bool:
    """Return whether the desired number of healthy tasks of the primary deployment runs."""
    service, primary = now.service, now.primary
    if service is None or primary is None:
        return False
    serving = [target for target in now.targets if target.healthy]
    return (
        primary.running >= primary.desired == service.desired
        and primary.pending == 0
        and primary.state in ("COMPLETED", "")
        and (not service.target_groups or len(serving) >= service.desired)
    )


def limits(history: History, failure: TaskFailure) -> int:
    """Return the task's memory limit in MiB; 0 when its task definition was not read."""
    definition = history.now.definition(failure.task.task_definition)
    return definition.memory if definition else 0


def image(history: History, failure: TaskFailure) -> str:
    """Return the image that the task should run; '' when its task definition was not read."""
    definition = history.now.definition(failure.task.task_definition)
    return definition.images[0] if definition and definition.images else ""


def short_image(reference: str) -> str:
    """Return the image without its registry and with a shortened digest: `web@sha256:86e1…`."""
    name, _, digest = reference.rpartition("/")[2].partition("@")
    return f"{name}@{digest[:15]}…" if digest else name


def newest(times: "Sequence[datetime | None]") -> datetime | None:
    return max((time for time in times if time), default=None)
