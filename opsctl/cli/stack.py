"""What `db`, `ecs` and every other stack command share: plan, up, down and status of one stack."""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from opsctl import aws
from opsctl.cli.interrupt import Choice, ask
from opsctl.cli.options import Invocation
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.stack import StackProgress
from opsctl.errors import Busy, Detached, OpsError
from opsctl.snapshot import groups
from opsctl.snapshot import stacks as state
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import apply, remove
from opsctl.stacks import plan as planning
from opsctl.stacks.apply import StackEvent, Unanswered
from opsctl.stacks.changes import Change, ChangeSet
from opsctl.stacks.definition import Stack

T = TypeVar("T")
# Follows an operation from the event after which it began.
Join = Callable[[Invocation, StackState, str | None], None]
_ATTEMPTS = 5
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": ">", "Dynamic": "?"}


def plan(invocation: Invocation, stack: Stack) -> int:
    """Show the change set and remove it again. 0 same, 2 different."""
    found = state.describe(invocation.clients.cloudformation, stack.name)
    _refuse_busy(found, invocation)
    change_set = _plan(invocation, stack, found)
    show_change_set(invocation.console, change_set)
    planning.discard(invocation.clients.cloudformation, change_set)
    return 0 if change_set.is_empty else 2


def up(invocation: Invocation, stack: Stack, *, yes: bool, confirm: str | None = None) -> bool:
    """Plan, ask, execute and follow; True when something was changed."""
    console = invocation.console
    change_set = joining(
        console, lambda: _plan(invocation, stack, ready(invocation, stack, yes=yes))
    )
    show_change_set(console, change_set)
    if change_set.is_empty:
        console.emit("result", stack=stack.name, outcome="no_changes")
        return False
    try:
        agreed = _agree(console, change_set, stack.name, yes=yes, confirm=confirm)
    except BaseException:
        planning.discard(invocation.clients.cloudformation, change_set)
        raise
    if not agreed:
        planning.discard(invocation.clients.cloudformation, change_set)
        raise Detached(f"nothing was done to `{stack.name}`")
    execute(invocation, change_set)
    return True


def joining(console: Console, work: Callable[[], T]) -> T:
    """Do it again, from its own look at the stack on, when somebody else was quicker to plan."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except Busy as error:
            console.say(f"{error.message}, who was quicker")
    return work()


def execute(
    invocation: Invocation, change_set: ChangeSet, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Execute a reviewed change set and follow it to its end; `sleep` may look elsewhere first."""
    cloudformation = invocation.clients.cloudformation
    after = apply.newest_event(cloudformation, change_set.stack_id)
    apply.execute(cloudformation, change_set, token=f"opsctl-{uuid.uuid4().hex}")
    follow(invocation, change_set.stack, change_set.stack_id, after, sleep=sleep)
    invocation.console.emit("result", stack=change_set.stack, outcome="done")


def down(invocation: Invocation, stack: str, *, yes: bool, confirm: str | None) -> bool:
    """Show what goes, have the name typed, delete and follow; True when there was a stack."""
    console = invocation.console
    cloudformation = invocation.checked_clients().cloudformation
    found = state.describe(cloudformation, stack)
    if found is None:
        console.say(f"there is no stack `{stack}`: nothing to remove")
        console.emit("result", stack=stack, outcome="no_changes")
        return False
    state.require_ours(found)
    exports, ours = [f"{stack}-{name}" for name in found.outputs], f"{invocation.config.system}-ecs"
    if users := remove.importers(cloudformation, exports):
        raise OpsError(
            f"`{stack}` cannot go while {', '.join(f'`{user}`' for user in users)} uses it",
            hint="opsctl ecs down" if ours in users else "remove that stack first",
        )
    for each in remove.resources(cloudformation, stack):
        console.say(f"  - {each.logical_id}  {each.resource_type}  {each.physical_id}")
    sure = confirm if confirm is not None else (stack if yes else None)
    if not console.confirm_name(f"all of this goes, for good: `{stack}`", stack, confirmed=sure):
        raise Detached(f"nothing was done to `{stack}`")
    after = apply.newest_event(cloudformation, found.id)
    remove.remove(cloudformation, found.id, token=f"opsctl-{uuid.uuid4().hex}")
    follow(invocation, stack, found.id, after)
    console.emit("result", stack=stack, outcome="removed")
    return True


def status(invocation: Invocation, stack: str) -> int:
    console = invocation.console
    found = state.describe(invocation.clients.cloudformation, stack)
    if found is None or not found.exists:
        console.emit("stack", stack=stack, status=None)
        console.say(f"`{stack}` does not exist")
        return 0
    console.emit(
        "stack",
        stack=stack,
        status=found.status,
        reason=found.reason,
        changed=found.changed,
        outputs=dict(found.outputs),
    )
    if not console.json:
        meaning = state.MEANING.get(found.status)
        console.data(f"{stack}  {found.status}{f'  ({meaning})' if meaning else ''}")
        for name, value in found.outputs.items():
            console.data(f"  {name}: {value}")
    return 0


def follow(
    invocation: Invocation,
    stack: str,
    stack_id: str,
    after: str | None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show events to the end. Raises RolledBack, StackFailed, or Detached after a Ctrl-C."""
    cloudformation = invocation.clients.cloudformation
    cause = last = None
    with StackProgress(invocation.console, stack) as progress:
        while last is None or not last.ends:
            try:
                for event in apply.follow(cloudformation, stack_id, after=after, sleep=sleep):
                    if isinstance(event, Unanswered):
                        _tell_silence(invocation.console, stack, event)
                        continue
                    after, last = event.id, event
                    cause = cause or (event if event.is_cause else None)
                    progress.show(event)
            except KeyboardInterrupt:
                progress.pause()
                _interrupted(invocation, stack, stack_id)
                progress.resume()
            except Exception:
                invocation.console.warn(
                    f"`{stack}` goes on in AWS: the same command joins it once this is solved"
                )
                raise
    assert last is not None
    apply.conclude(last, _explained(invocation, cause))


def _tell_silence(console: Console, stack: str, silence: Unanswered) -> None:
    known = aws.translate(silence.error)
    why = known.message if known else type(silence.error).__name__
    console.warn(f"{why}; `{stack}` goes on in AWS, asking again for up to three minutes")


def _explained(invocation: Invocation, cause: StackEvent | None) -> StackEvent | None:
    if cause is None or cause.resource_type != groups.TYPE or not cause.physical_id:
        return cause
    refusal = groups.refusal(invocation.clients.autoscaling, cause.physical_id)
    return replace(cause, reason=f"{cause.reason}: {refusal}") if refusal else cause


def _interrupted(invocation: Invocation, stack: str, stack_id: str) -> None:
    choice = ask(invocation.console, f"`{stack}` is being changed")
    if choice is Choice.WAIT:
        return
    if choice is Choice.CANCEL:
        cloudformation = invocation.clients.cloudformation
        found = state.describe(cloudformation, stack_id)
        if found is not None and found.status == "UPDATE_IN_PROGRESS":
            cloudformation.cancel_update_stack(StackName=stack_id)
            invocation.console.say("cancelling: CloudFormation rolls the update back")
            return
        invocation.console.say("only an update can be cancelled; this goes on")
        return
    raise Detached(
        f"left `{stack}` running", hint="run the same command again to follow it to its end"
    )


def ready(
    invocation: Invocation, stack: Stack, *, yes: bool, join: Join | None = None
) -> StackState | None:
    """The stack in a state that takes a change set: joined, repaired or absent."""
    clients = invocation.checked_clients()
    cloudformation = clients.cloudformation
    found = state.describe(cloudformation, stack.name)
    if found is None or not found.exists:
        return found
    state.require_ours(found)
    if found.in_progress:
        invocation.console.say(f"`{stack.name}` is {found.status}: joining what is running")
        after = apply.operation_start(cloudformation, found.id)
        (join or _join)(invocation, found, after)
        found = state.describe(cloudformation, stack.name)
    if found is not None and found.status in state.DEAD:
        _clear(invocation, found, yes=yes)
        return None
    if found is not None and found.status == "UPDATE_ROLLBACK_FAILED":
        raise OpsError(
            f"`{stack.name}` is UPDATE_ROLLBACK_FAILED: {state.MEANING[found.status]}",
            hint=state.way_out(stack.name, found.status),
        )
    return found


def _join(invocation: Invocation, found: StackState, after: str | None) -> None:
    follow(invocation, found.name, found.id, after)


def _clear(invocation: Invocation, found: StackState, *, yes: bool) -> None:
    console = invocation.console
    cloudformation = invocation.clients.cloudformation
    console.say(f"`{found.name}` is {found.status}: {state.MEANING[found.status]}")
    for each in remove.resources(cloudformation, found.id):
        console.say(f"  - {each.logical_id}  {each.resource_type}  {each.status}")
    if not console.confirm("remove what is left of it and create it anew?", yes=yes):
        raise Detached(f"nothing was done to `{found.name}`")
    after = apply.newest_event(cloudformation, found.id)
    remove.remove(cloudformation, found.id, token=f"opsctl-{uuid.uuid4().hex}")
    follow(invocation, found.name, found.id, after)


def _refuse_busy(found: StackState | None, invocation: Invocation) -> None:
    if found is not None and found.in_progress:
        raise OpsError(
            f"`{found.name}` is {found.status}: a plan would be out of date at once",
            hint="run `up` to join what is running",
        )


def _plan(invocation: Invocation, stack: Stack, found: StackState | None) -> ChangeSet:
    if found is not None and found.exists:
        state.require_ours(found)
        # A value that is already there is kept by name, so that nobody has to know it.
        known = found.parameters
        stack = replace(
            stack,
            parameters={
                key: None if value is None and key in known else (value or "")
                for key, value in stack.parameters.items()
            },
        )
    return planning.plan(
        invocation.clients,
        stack,
        found,
        bucket=invocation.config.aws.bucket,
        sleep=time.sleep,
        token=uuid.uuid4().hex,
    )


def _agree(
    console: Console, change_set: ChangeSet, name: str, *, yes: bool, confirm: str | None
) -> bool:
    lost = change_set.loses_data if change_set.kind == "UPDATE" else ()
    if lost:
        what = ", ".join(f"{change.logical_id} ({change.effect})" for change in lost)
        console.warn(f"this loses data: {what}")
        return console.confirm_name("the cache will be empty", name, confirmed=confirm)
    return console.confirm(f"apply this to `{name}`?", yes=yes)


def show_change_set(console: Console, change_set: ChangeSet) -> None:
    if change_set.is_empty:
        console.emit("plan", stack=change_set.stack, changes=[])
        console.say(f"`{change_set.stack}`: no changes")
        return
    console.emit(
        "plan",
        stack=change_set.stack,
        kind=change_set.kind,
        changes=[_change_fields(change) for change in change_set.changes],
    )
    count = len(change_set.changes)
    console.say(
        f"plan for `{change_set.stack}` ({change_set.kind.lower()}, "
        f"{count} change{'s' if count != 1 else ''}):"
    )
    for change in change_set.changes:
        _show_change(console, change)


def _show_change(console: Console, change: Change) -> None:
    sign = "!" if change.replaces else _SIGNS.get(change.action, "?")
    style = "bad" if sign in "!-" else "good" if sign == "+" else "warn"
    effect = f"  {change.effect}" if change.effect else ""
    console.say(
        f"  {console.style(style, sign)} {change.logical_id}  "
        f"{console.style('faint', change.resource_type)}{effect}"
    )
    for each in change.properties:
        values = f": {each.before} -> {each.after}" if each.before or each.after else ""
        console.say(f"      {each.name}{values}{' (forces replacement)' * each.recreates}")


def _change_fields(change: Change) -> dict[str, object]:
    return {
        "action": change.action,
        "logical_id": change.logical_id,
        "resource_type": change.resource_type,
        "replacement": change.replacement,
        "effect": change.effect,
        "loses_data": change.loses_data,
        "properties": [each.name for each in change.properties],
    }
