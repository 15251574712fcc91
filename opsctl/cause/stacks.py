"""Causes for resources that CloudFormation could not create, update or delete."""

import re
from collections.abc import Iterator

from opsctl.aws import iam
from opsctl.cause import telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.snapshot.snapshot import Kind
from opsctl.snapshot.stacks import StackEvent, StackState

_ENVELOPE = re.compile(
    r'Resource handler returned message: "(.+)" \((?:RequestToken: \S+, )?HandlerErrorCode: \w+\)',
    re.DOTALL,
)
_COMMANDS = {
    "db": "opsctl db up",
    "ecr": "opsctl ecs up",
    "ecs": "opsctl ecs up",
    "alarms": "opsctl alarms up",
}
# Cause id -> what to do before the same command.
_HELPS = {
    "service-limit": "ask for a higher quota",
    "throttled": "wait a minute",
    "credentials-expired": "renew the credentials",
}
_RELEASED: tuple[Kind, ...] = ("db", "ecs")
_STUCK = ("UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED")
_UNDONE = ("UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
_GROUP = "AWS::AutoScaling::AutoScalingGroup"
# (patterns of a reason, cause id, beginning of its sentence); the first that fits is used.
_KINDS = (
    (
        re.compile(r"not authorized|AccessDenied|Access Denied|UnauthorizedOp|unauthorized", re.I),
        "permission-missing",
        "CloudFormation may not do this for the caller",
    ),
    (
        re.compile(r"requires capabilities|InsufficientCapabilities|CAPABILITY_", re.I),
        "capability-missing",
        "CloudFormation was not allowed to make IAM resources",
    ),
    (
        re.compile(r"security token .*expired|ExpiredToken", re.I),
        "credentials-expired",
        "the credentials expired while CloudFormation worked",
    ),
    (
        re.compile(
            r"already exists?|AlreadyExist|ResourceExistenceCheck|already in use|exists in stack|"
            r"same name \S+ exists|Duplicate|was not idempotent",
            re.I,
        ),
        "name-exists",
        "the name is taken",
    ),
    (
        re.compile(r"Throttl|Rate exceeded|Too ?Many ?Requests|Request ?Limit ?Exceeded", re.I),
        "throttled",
        "AWS throttled it",
    ),
    (
        re.compile(
            r"quota|limit ?exceeded|\blimit\b.*\bexceeded|exceed\w* (?:your|the|its) |"
            r"maximum (?:number|limit)|too ?many|Max allowed length|more .* than allowed|"
            r"number of .* has been reached|"
            r"\blimits?\b.*\b(?:reached|hit)|reached .*\blimit",
            re.I,
        ),
        "service-limit",
        "a limit of AWS is reached",
    ),
)


def failed(history: History) -> Iterator[Cause]:
    """Yield a Cause for each stack's first resource that failed by itself in the last operation."""
    for stack in dict.fromkeys(event.stack for event in history.stack_events.values()):
        events = [event for event in history.stack_events.values() if event.stack == stack]
        causes = [event for event in _last_operation(events) if event.is_cause]
        origins = [event for event in causes if not _elsewhere(event)]
        if origins:
            yield _cause(history, stack, origins)


def seen_failed(history: History) -> Iterator[Cause]:
    """Yield a Cause for a stack in a failed state whose events are not known."""
    for kind, states in history.states.items():
        bad = [one for one in states if _bad(one.status)]
        if not bad or any(
            event.stack == bad[-1].name and event.is_cause
            for event in history.stack_events.values()
        ):
            continue
        state = bad[-1]
        if _is_stuck(history.now.stacks.get(kind)):
            continue
        good = _good(states[-1].status) or _good(history.statuses[state.name][-1])
        if state.status in _UNDONE and good and not history.ended_badly:
            continue  # an earlier command's trouble: a change has succeeded since
        id, words = by_reason(state.reason)
        stuck = state.status.endswith("_FAILED")
        # A stack that was rolled back before this command began is not why the command failed.
        here = history.ended_badly and len(states) > 1
        cancelled = _cancellation(history, state) if state.status in _UNDONE else None
        if cancelled is not None:
            of_release, over = _of_a_release(history, kind, cancelled)
            yield Cause(
                "update-cancelled",
                f"somebody cancelled the update of `{state.name}`; it is as it was before",
                "certain",
                (_event(cancelled),),
                "if it is still wanted: "
                + ("opsctl update-tasks" if of_release else _command(history, kind)),
                hinders=here,
                over=over and not history.ended_badly,
            )
            continue
        gone = history.statuses[state.name][-1] == "DELETE_COMPLETE" or _gone(history, kind, state)
        why = telling.brief(state.reason) or words
        yield Cause(
            "delete-blocked" if state.status == "DELETE_FAILED" else id,
            f"`{state.name}` is {state.status}" + (f": {why}" if why else ""),
            "certain" if state.reason else "likely",
            (
                Evidence(
                    "cloudformation DescribeStacks",
                    f"{state.status} {telling.quoted(state.reason)}".strip(),
                    state.changed,
                ),
            ),
            _next(kind, state.status, id)
            if not state.in_progress
            else f"to join it and follow it to its end: {_COMMANDS[kind]}",
            hinders=stuck or state.status == "ROLLBACK_COMPLETE" or here,
            over=gone or (_good(states[-1].status) and not history.ended_badly),
        )


def _of_a_release(history: History, kind: Kind, cancelled: StackEvent) -> tuple[bool, bool]:
    """Return whether the cancelled update was a release, and whether a later one succeeded."""
    newest = max(history.now.releases, key=lambda one: one.number, default=None)
    if kind != "ecs" or newest is None or cancelled.time is None:
        return False, False
    later = newest.begun > cancelled.time
    return not later and newest.outcome != "deployed", later and newest.outcome == "deployed"


def _cancellation(history: History, state: StackState) -> StackEvent | None:
    """Return the event with which somebody cancelled the last update, or None. What comes after a
    rollback that failed continues that rollback.
    """
    of_stack = [one for one in history.stack_events.values() if one.stack == state.name]
    for one in _last_operation(of_stack):
        if one.is_cancellation:
            return one
        if one.is_stack and one.status == "UPDATE_ROLLBACK_FAILED":
            return None
    return None


def _command(history: History, kind: Kind) -> str:
    """Return the command that was recorded, without its options; else the one of the stack."""
    words = history.command.split()
    return "opsctl update-tasks" if "update-tasks" in words else _COMMANDS[kind]


def _gone(history: History, kind: Kind, state: StackState) -> bool:
    """Return whether the newest snapshot shows another stack with this name, or none."""
    now = history.now
    if not now.holds("stacks") or kind not in now.look.stacks:
        return False
    live = now.stacks.get(kind)
    return live is None or live.id != state.id


def _is_stuck(state: StackState | None) -> bool:
    return state is not None and state.status in _STUCK


def stuck(history: History) -> Iterator[Cause]:
    """Yield a Cause for a stack that accepts no change until its rollback is completed."""
    for kind, state in history.now.stacks.items():
        if not _is_stuck(state):
            continue
        said = f"{state.status} {telling.quoted(state.reason)}".strip()
        yield Cause(
            "stack-stuck",
            f"`{state.name}` is {state.status}: it accepts no changes before that is repaired",
            "certain",
            (Evidence("cloudformation DescribeStacks", said, state.changed),),
            _next(kind, state.status, "stack-stuck"),
        )


def foreign(history: History) -> Iterator[Cause]:
    """Yield a Cause for a stack with the name of ours that is not this system's, or does not say so
    any more.
    """
    for kind, state in history.now.stacks.items():
        if state.stranger:
            tags = ", ".join(f"{key}={value}" for key, value in state.tags.items()) or "none"
            yield Cause(
                "not-ours",
                state.stranger,
                "certain",
                (Evidence("cloudformation DescribeStacks", f"its tags: {state.foreign or tags}"),),
                _whose(history, kind, state),
            )


def _whose(history: History, kind: Kind, state: StackState) -> str:
    """Return the hint. A stack whose siblings are ours has probably lost its tags."""
    if state.foreign:
        return "choose another `name` in opsctl.yaml, or use the config of that system"
    ours = [one for one in history.now.stacks.values() if not one.stranger]
    if not ours:
        return "choose another `name` in opsctl.yaml"
    own = {key: value for key, value in ours[0].tags.items() if key.startswith("opsctl:")}
    own |= {"opsctl:stack": kind} if "opsctl:stack" in own else {}
    tags = " ".join(f"Key={key},Value={value}" for key, value in {**state.tags, **own}.items())
    kept = " ".join(f"ParameterKey={key},UsePreviousValue=true" for key in state.parameters)
    return (
        "if it is this system's, and somebody removed its tags: aws cloudformation update-stack "
        f"--stack-name {state.name} --use-previous-template --capabilities CAPABILITY_NAMED_IAM "
        f"{f'--parameters {kept} ' if kept else ''}--tags {tags}"
    )


def _cause(history: History, stack: str, causes: list[StackEvent]) -> Cause:
    first = causes[0]
    reason = _reason(first)
    id, words = by_reason(reason)
    if first.status == "DELETE_FAILED":
        id, words = "delete-blocked", "it cannot be deleted"
    action, on = iam.denied(reason)
    if id == "permission-missing" and action:
        words = f"the caller lacks {action}{on}"
    kind = _kind_of(history, stack)
    status = history.statuses.get(stack, ("",))[-1]
    command = _next(kind, status, id, deleting=first.status == "DELETE_FAILED")
    return Cause(
        id,
        f"{first.logical_id} of `{stack}`: {words}{': ' if words else ''}{telling.quoted(reason)}",
        "certain",
        tuple(_event(event) for event in causes[:3]),
        command,
        # After a rollback the stack is as before: only whoever wanted the change must act.
        hinders=status not in _UNDONE or history.ended_badly,
        over=_good(status) and not history.ended_badly,
        count=len(causes),
        explains=frozenset({"stack-stuck", "someone-else-is-deploying"}),
    )


def _event(event: StackEvent) -> Evidence:
    said = f"{event.logical_id} {event.status}: {telling.quoted(_reason(event))}"
    return Evidence("cloudformation DescribeStackEvents", said, event.time)


def _last_operation(events: list[StackEvent]) -> list[StackEvent]:
    """Return the events since the last one that begins an operation of the stack itself."""
    begins = [
        index
        for index, event in enumerate(events)
        if event.is_stack
        and event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    ]
    return events[begins[-1] :] if begins else events


def _elsewhere(event: StackEvent) -> bool:
    """Return whether other rules, about tasks or instances, explain this event better."""
    if event.resource_type == "AWS::ECS::Service":
        return "ircuit Breaker" in event.reason or "ROLLBACK" in event.status
    return event.resource_type == _GROUP and bool(
        re.search(r"signal|launch|did not stabilize|capacity", event.reason, re.I)
    )


def _reason(event: StackEvent) -> str:
    wrapped = _ENVELOPE.fullmatch(event.reason)
    return wrapped[1] if wrapped else event.reason


def by_reason(reason: str) -> tuple[str, str]:
    kinds = ((id, words) for pattern, id, words in _KINDS if pattern.search(reason))
    return next(kinds, ("resource-failed", ""))


def _kind_of(history: History, stack: str) -> Kind | None:
    names = history.now.names.stacks
    return next((kind for kind, name in names.items() if name == stack), None)


def _bad(status: str) -> bool:
    return status.endswith("_FAILED") or "ROLLBACK" in status


def _good(status: str) -> bool:
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def _next(kind: Kind | None, status: str, id: str, *, deleting: bool = False) -> str:
    command = _COMMANDS.get(kind or "", "opsctl status")
    if deleting or status == "DELETE_FAILED":
        return f"remove what stands in the way, then run: {command.replace(' up', ' down')}"
    if status == "UPDATE_ROLLBACK_FAILED":
        return f"to continue the rollback: {command}"
    if status == "IMPORT_ROLLBACK_FAILED":
        return f"ask AWS Support to repair it, or remove it: {command.replace(' up', ' down')}"
    if id == "permission-missing":
        return "to print all that is needed: opsctl iam-policy"
    return f"{_HELPS.get(id, 'correct that')}, then run: {command}"


def gone(history: History) -> Iterator[Cause]:
    """Yield a Cause for stacks that somebody deleted. The ledger outlives them: a release needs
    both.
    """
    now = history.now
    down = history.command.split()[1:2] == ["down"]  # then this is what was asked for
    if down or not now.holds("stacks", "releases") or not now.releases:
        return
    missing = [kind for kind in _RELEASED if kind in now.look.stacks and not now.stack(kind)]
    if missing:
        names = " and ".join(f"`{now.names.stacks[kind]}`" for kind in missing)
        last, it = now.releases[-1], "it" if len(missing) == 1 else "both"
        yield Cause(
            "stack-gone",
            f"there is no stack {names}, although release {last.number} of "
            f"{last.begun:%Y-%m-%d %H:%M} UTC needed {it}: somebody deleted {it}",
            "certain",
            (Evidence("cloudformation DescribeStacks", f"{names}: not found", now.at),),
            _COMMANDS[missing[0]],
            explains=frozenset({"service-gone", "cache-gone", "no-instance"}),
        )


RULES = (failed, seen_failed, stuck, foreign, gone)
