"""Causes for deployments: changed by hand, superseded, stopped by breaker or alarm, under way."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from opsctl.cause import telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History, agrees
from opsctl.plural import counted
from opsctl.snapshot.service import Deployment

_BREAKER = re.compile(r"circuit breaker", re.IGNORECASE)
_ALARM = re.compile(r"\balarm", re.IGNORECASE)
_INACTIVE = re.compile(r"TaskDefinition is inactive", re.IGNORECASE)
_FOLLOW = "to join it and follow it to its end: opsctl update-tasks"


def _after_scaling(has: int, declared: int) -> str:
    """Return the hint; never one that stops every task."""
    if not has:
        return "opsctl update-tasks"
    return (
        f"to set it back: opsctl ecs scale {declared}" if declared else "to keep it: opsctl ecs up"
    )


def scaled_by_hand(history: History) -> Iterator[Cause]:
    for at, has, declared in history.counts[-1:]:
        now = history.now.service
        # `ecs up` may have taken the count over into the stack.
        over = now is not None and (now.desired == declared or agrees(history.now))
        yield Cause(
            "scaled-by-hand",
            f"the service was set to {counted(has, 'task')} outside of its stack, which "
            f"asks for {declared}{'' if has else ': no task runs'}",
            "certain",
            (Evidence("ecs DescribeServices", f"desiredCount {has}, the stack's {declared}", at),),
            "" if over else _after_scaling(has, declared),
            hinders=has == 0,
            over=over,
            explains=frozenset({"no-progress", "tasks-missing", "target-unhealthy"}),
        )


def changed_by_hand(history: History) -> Iterator[Cause]:
    # A command that was overtaken already says so; this cause then says who did it.
    overtaken = any(one.kind == "superseded" for one in history.failures)
    for at, has, own in history.definitions[-1:]:
        primary = history.now.primary
        yield Cause(
            "changed-by-hand",
            f"the service runs {has}, not {own} of its stack: somebody changed it outside of that",
            "certain",
            (Evidence("ecs DescribeServices", f"taskDefinition {has}, the stack's {own}", at),),
            "to repair it: opsctl " + ("ecs up" if history.now.deregistered else "update-tasks"),
            over=primary is not None and primary.revision != has,
            explains=frozenset({"deployment-running", *(() if overtaken else ("superseded",))}),
        )


def settings_changed(history: History) -> Iterator[Cause]:
    """Yield a Cause when deployments roll otherwise than the stack asked for."""
    service, wanted = history.now.service, history.now.settled_output("ecs", "ConfiguredDeployment")
    if service is None or wanted in ("", service.rolls):
        return
    yield Cause(
        "deployment-settings-changed",
        f"the next deployment of `{service.name}` keeps {service.rolls}, and its stack asks for "
        f"{wanted}: somebody changed that",
        "certain",
        (Evidence("ecs DescribeServices", f"it keeps {service.rolls}", history.now.at),),
        f"to set it back: {telling.REVERT}",
        hinders=False,
    )


def deregistered(history: History) -> Iterator[Cause]:
    """Yield a Cause when somebody deregistered the stack's task definition. What runs stays."""
    gone = history.now.deregistered
    failed = [
        one
        for one in history.stack_events.values()
        if one.is_cause and _INACTIVE.search(one.reason)
    ]
    if not gone and not failed:
        return
    evidence = [Evidence("ecs DescribeTaskDefinition", f"{gone}: INACTIVE", history.now.at)]
    events = [
        Evidence(
            "cloudformation DescribeStackEvents",
            f"{one.logical_id} {one.status}: {telling.quoted(one.reason)}",
            one.time,
        )
        for one in failed[-1:]
    ]
    yield Cause(
        "task-definition-deregistered",
        f"somebody deregistered the task definition{f' {gone}' if gone else ''} of the stack: ECS "
        "starts no deployment of it, and no release that fails can go back to it",
        "certain",
        (*(evidence if gone else ()), *events),
        "to make it anew: opsctl ecs up" if gone else "",
        hinders=bool(failed),
        over=not gone,
        explains=frozenset({"resource-failed"}),
    )


def superseded(history: History) -> Iterator[Cause]:
    """Yield a Cause when a newer deployment, no rollback, replaced one that was under way."""
    failures = [one for one in history.failures if one.kind == "superseded"]
    passed = [one for one in _passed_over(history) if one is not None]
    if not failures and not passed:
        return
    primary = history.now.primary
    newer = f"{primary.revision} ({primary.id})" if primary else "another one"
    evidence = [
        Evidence(
            "ecs DescribeServices",
            f"{one.revision} ({one.id}): {one.status}, {one.state or 'never completed'}",
            one.created,
        )
        for one in passed[-2:]
    ]
    sentence = f"a newer deployment took over before this one was done: {newer}"
    yield Cause(
        "superseded",
        failures[-1].message.removeprefix("superseded: ") if failures else sentence,
        "certain" if failures else "likely",
        tuple(evidence),
        "to replace it, run the same command again; to see it: opsctl ecs status",
        hinders=bool(failures),
        over=not failures and telling.steady(history.now),
        explains=frozenset({"deployment-running", "breaker-tripped"})
        # Two deployments at once need more room than one.
        | (frozenset({"changed-by-hand", "no-room"}) if failures else frozenset()),
    )


def breaker_tripped(history: History) -> Iterator[Cause]:
    """Yield a Cause when the breaker stopped a deployment. The cause of the failed tasks ranks
    before it.
    """
    since = _since(history)
    evidence = [
        Evidence("ecs DescribeServices", telling.quoted(one.reason), one.created)
        for one in history.deployments.values()
        if _BREAKER.search(one.reason) and _counts(one.created, since)
    ]
    evidence += [
        Evidence(
            "ecs DescribeServiceDeployments",
            f"{one.failures} of {one.threshold} failures: {one.breaker}",
            one.finished,
        )
        for one in history.service_deployments.values()
        if one.breaker == "TRIGGERED" and _counts(one.created, since)
    ]
    evidence += [
        Evidence("cloudformation DescribeStackEvents", telling.quoted(event.reason), event.time)
        for event in history.stack_events.values()
        if event.is_cause and _BREAKER.search(event.reason) and _counts(event.time, since)
    ]
    if evidence:
        yield Cause(
            "breaker-tripped",
            "the deployment circuit breaker stopped the deployment: its tasks failed to start or "
            "to become healthy",
            "likely",
            tuple(evidence[:3]),
            "opsctl logs tail stdout --since 1h --no-follow",
            over=_come_through(history),
            deployment=_newest(evidence),
            explains=frozenset({"resource-failed", "no-progress"}),
        )


def alarm_rolled_back(history: History) -> Iterator[Cause]:
    since = _since(history)
    counted = [one for one in history.service_deployments.values() if _counts(one.created, since)]
    rang = {name: one for one in counted for name in one.alarms}
    deployments = [one for one in history.deployments.values() if _counts(one.created, since)]
    said = [one for one in deployments if _ALARM.search(one.reason)]
    events = [one for one in history.service_events.values() if _counts(one.time, since)]
    said_by_ecs = [one for one in events if _rolled(one.text)]
    if not rang and not said and not said_by_ecs:
        return
    names = list(rang) or [one.name for one in history.now.alarms if one.rings]
    evidence = [
        Evidence("ecs DescribeServiceDeployments", f"triggered: {name}", one.finished)
        for name, one in rang.items()
    ]
    evidence += [
        Evidence("ecs DescribeServices", telling.quoted(one.reason), one.created) for one in said
    ]
    evidence += [
        Evidence("ecs service event", telling.quoted(one.text), one.time) for one in said_by_ecs
    ]
    evidence += [
        Evidence("cloudwatch DescribeAlarms", f"{one.name}: {one.reason}", one.since)
        for one in history.now.alarms
        if one.name in names and one.reason
    ]
    yield Cause(
        "alarm-rolled-back",
        f"an alarm stopped the deployment: {', '.join(names[:3]) or 'its name is not known'}",
        "certain",
        tuple(evidence[:4]),
        "opsctl metrics --since 1h",
        over=_come_through(history),
        deployment=_newest(evidence),
        explains=frozenset({"breaker-tripped", "resource-failed", "no-progress"}),
    )


def someone_else(history: History) -> Iterator[Cause]:
    """Yield a Cause when another command or person changes the stack, now or when this command
    started.
    """
    notes = [*history.noted_as("Joining"), *history.noted_as("Overtaken")]
    running = [state for state in history.now.stacks.values() if state.in_progress]
    if notes:
        yield Cause(
            "someone-else-is-deploying",
            f"somebody else is changing the system: {notes[-1].fields.get('text', '')}",
            "certain",
            tuple(
                Evidence("this command", str(one.fields.get("text", "")), one.time)
                for one in notes[-2:]
            ),
            _to_join(history),
            hinders=False,
            over=not running,
        )
    elif running and not history.command:
        state = running[0]
        since = f" since {state.changed:%H:%M:%S} UTC" if state.changed else ""
        yield Cause(
            "someone-else-is-deploying",
            f"`{state.name}` is {state.status}{since}: an operation runs",
            "possible",
            (Evidence("cloudformation DescribeStacks", state.status, history.now.at),),
            _to_join(history),
            hinders=False,
        )


def _to_join(history: History) -> str:
    """Return the command that follows the operation that is changing a stack."""
    for kind, state in history.now.stacks.items():
        if not state.in_progress or (kind == "ecs" and state.status.startswith("UPDATE")):
            continue
        group = "ecs" if kind == "ecr" else kind
        verb = "down" if state.status.startswith("DELETE") else "up"
        return f"to join it and follow it to its end: opsctl {group} {verb}"
    return _FOLLOW


def under_way(history: History) -> Iterator[Cause]:
    """Yield a Cause, which hinders nothing, for a deployment that has not completed yet."""
    service, primary = history.now.service, history.now.primary
    if service is None or primary is None or primary.state != "IN_PROGRESS":
        return
    yield Cause(
        "deployment-running",
        f"a deployment is under way: {primary.running} of {primary.desired} tasks of "
        f"{primary.revision} run, {primary.pending} start",
        "possible",
        (Evidence("ecs DescribeServices", f"{primary.id} IN_PROGRESS", primary.created),),
        _FOLLOW,
        hinders=False,
    )


def tasks_missing(history: History) -> Iterator[Cause]:
    """Yield a Cause when fewer tasks run than desired and no deployment is under way."""
    service, primary = history.now.service, history.now.primary
    if service is None or primary is None or service.desired == 0:
        return
    missing = service.desired - service.running
    if missing > 0 and primary.state != "IN_PROGRESS":
        yield Cause(
            "tasks-missing",
            f"{service.running} of {service.desired} tasks run",
            "likely",
            (Evidence("ecs DescribeServices", f"runningCount {service.running}", history.now.at),),
            "opsctl status",
        )


def stopped_by_hand(history: History) -> Iterator[Cause]:
    stopped = [task for task in history.tasks.values() if task.stop_code == "UserInitiated"]
    ours = [task for task in stopped if task.reason.startswith("opsctl")]
    foreign = [task for task in stopped if task not in ours]
    if foreign:
        yield Cause(
            "stopped-by-hand",
            f"{counted(len(foreign), 'task')} stopped by hand",
            "certain",
            tuple(
                Evidence(f"task {one.id[:8]}", telling.brief(one.reason), one.stopped)
                for one in foreign[:3]
            ),
            "opsctl status",
            hinders=False,
            over=telling.steady(history.now),
            count=len(foreign),
        )


def _rolled(text: str) -> bool:
    return bool(_ALARM.search(text) and re.search(r"fail|roll|back|stop", text, re.IGNORECASE))


def _newest(evidence: Iterable[Evidence]) -> int:
    """Return when the newest of it was seen, which orders deployments."""
    newest = telling.newest([one.time for one in evidence])
    return int(newest.timestamp()) if newest else 0


def _since(history: History) -> datetime | None:
    """Return when the newest deployment or the command began, or None if that is not known.

    ECS also keeps records of older deployments, which say nothing about this one.
    """
    begun = [one.created for one in history.service_deployments.values()]
    newest = telling.newest(begun)
    return min(filter(None, (newest, history.began)), default=None) if newest else None


def _counts(time: datetime | None, since: datetime | None) -> bool:
    return time is None or since is None or time >= since


def _come_through(history: History) -> bool:
    return telling.steady(history.now) and not history.ended_badly and not _back(history)


def _back(history: History) -> bool:
    """Return whether the newest stack operation was rolled back."""
    state = history.now.stack("ecs")
    return state is not None and "ROLLBACK" in state.status


def _passed_over(history: History) -> list[Deployment]:
    """Return deployments that another one, other than a rollback, replaced before they had
    completed.
    """
    primary = history.now.primary
    if primary is None:
        return []
    known = history.deployments
    followed = [known[id] for id in history.primaries[:-1] if id in known]
    followed += [
        one
        for one in (history.now.service.deployments if history.now.service else ())
        if one.status == "ACTIVE"
    ]
    before = known.get(history.primaries[0]) if history.primaries else None
    return [
        one
        for one in dict.fromkeys(followed)
        if one.state == "IN_PROGRESS"
        and one.id != primary.id
        and not _older(primary, one)
        and not _BREAKER.search(primary.reason)
        and not (
            before is not None
            and before.id != one.id
            and primary.task_definition == before.task_definition != one.task_definition
        )
    ]


def _older(primary: Deployment, one: Deployment) -> bool:
    """Return whether the primary deployment is the older one: then it is back after a rollback."""
    return bool(primary.created and one.created and primary.created < one.created)


RULES = (
    scaled_by_hand,
    changed_by_hand,
    settings_changed,
    deregistered,
    superseded,
    alarm_rolled_back,
    breaker_tripped,
    someone_else,
    under_way,
    tasks_missing,
    stopped_by_hand,
)
