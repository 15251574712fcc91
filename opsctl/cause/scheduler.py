"""Failures that only the service scheduler reports: a task not started, or not registered.

No task shows anything about them, so ECS's own sentence is the only evidence.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from opsctl.aws import iam
from opsctl.cause import stacks, telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.cause.room import EXPLAINS
from opsctl.cause.task_failures import DENIED
from opsctl.snapshot.service import ServiceEvent

_PREFIX = re.compile(r"^\(service [^)]*\) ")
# ECS's sentence -> whether a task that was created later shows that the problem is over.
_SENTENCES = (
    (re.compile(r"failed to launch a task|place a task\. Reason: (?!Capacity)", re.I), True),
    (
        re.compile(r"failed to (?:de)?register targets|failed to describe target health", re.I),
        False,
    ),
    (re.compile(r"assume the service.linked role", re.I), True),
    (re.compile(r"operations are being throttled", re.I), True),
    (re.compile(r"unable to stop or start tasks during a deployment", re.I), True),
    (re.compile(r"unable to scale in", re.I), False),
    (re.compile(r'"AGENT"|have the agent connected', re.I), True),
)
# ECS repeats a sentence after six hours while the problem lasts.
_REPEATED = timedelta(hours=6, minutes=10)
_PERCENT = re.compile(r"minimumHealthyPercent", re.I)
_PROTECTED = re.compile(r"protect", re.I)


def refused(history: History) -> Iterator[Cause]:
    """Return the newest such sentence as a cause, while the service is not steady."""
    if telling.steady(history.now) and not history.ended_badly:
        return
    said = [one for one in history.service_events.values() if _current(one, history)]
    if not said:
        return
    newest = said[-1]
    text = _PREFIX.sub("", newest.text).rstrip(".")
    id, words, next = _meaning(text)
    yield Cause(
        id,
        f"{words}: {telling.quoted(text)}",
        "likely" if id in ("throttled", "agent-disconnected") else "certain",
        (Evidence("ecs service event", telling.quoted(newest.text), newest.time),),
        next,
        deployment=telling.age(history, history.primaries[-1]) if history.primaries else 0,
        explains=EXPLAINS | {"tasks-missing", "target-unhealthy"},
    )


def _current(event: ServiceEvent, history: History) -> bool:
    over = next((over for pattern, over in _SENTENCES if pattern.search(event.text)), None)
    if over is None or (event.time and history.began and event.time < history.began):
        return False
    if event.time and history.now.at - event.time > _REPEATED:
        return False
    created = telling.newest([task.created for task in history.tasks.values()])
    return not (over and created and event.time and created > event.time)


def _meaning(text: str) -> tuple[str, str, str]:
    """Return the cause's id, what the sentence means, and the next command."""
    if re.search(rf"{DENIED}|assume the service.linked role", text, re.I):
        action, on = iam.denied(text)
        what = f"a role lacks {action}{on}" if action else "a role of ECS lacks a permission"
        roles = "to see what differs from the roles of the stack: opsctl ecs plan"
        return "permission-missing", what, roles
    if re.search(r"target groups? .*not (?:be )?found", text, re.I):
        what = "the target group of the service is not there"
        return "target-group-gone", what, "to make it again: opsctl ecs up --revert-drift"
    if _PERCENT.search(text):
        what = "minimum and maximum percent allow ECS neither to stop nor to start a task"
        return "no-room", what, "`ecs.maximum_percent` and the like: opsctl config show --origin"
    if re.search("agent", text, re.I):
        what = "a task was to be placed where the ECS agent was disconnected"
        return "agent-disconnected", what, telling.JOIN_LOGS
    if _PROTECTED.search(text):
        what = "tasks that somebody protected are not stopped"
        return "changed-by-hand", what, "opsctl status"
    id, words = stacks.by_reason(text)
    if id == "throttled":
        what = "AWS throttles ECS, which tries again"
        return id, what, "it passes by itself; to see: opsctl status"
    if id == "service-limit":
        return id, words, "ask for a higher quota, then run: opsctl ecs up"
    differs = "to see what differs: opsctl ecs plan"
    if re.search(r"register", text, re.I):
        return "target-unhealthy", "ECS cannot register tasks with the load balancer", differs
    return "container-cannot-start", "ECS cannot start a task", differs


RULES = (refused,)
