"""Go back to what worked: choose a release, cancel what rolls, and roll its image again."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, follow, look_at
from opsctl.releases import closing, facts, make
from opsctl.releases.make import ReleaseImage
from opsctl.releases.plan import Options
from opsctl.releases.target import Target, find, stays
from opsctl.releases.update_tasks import ReleaseResult, UpdateTasks
from opsctl.rollout import plan as planning
from opsctl.rollout import roll as rolling
from opsctl.rollout.plan import Strategy
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition, join, lock, states
from opsctl.stacks.absent import gone
from opsctl.stacks.lock import Held
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOK = facts.LOOK | Look(frozenset({"revisions"}), ("ecs",), releases=100)
# The stack status in which a roll can be cancelled.
_CANCELLABLE = "UPDATE_IN_PROGRESS"


class Rollback:
    """One run of `rollback`."""

    def __init__(
        self,
        clients: "Clients",
        config: Config,
        root: Path,
        *,
        number: int | None = None,
        strategy: Strategy = Strategy.ROLLING,
        timeout: timedelta = timedelta(minutes=20),
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        labels: make.Labels = make.labels_of,
    ) -> None:
        self._clients = clients
        self._config = config
        self._root = root
        self._number = number
        self._strategy = strategy
        self._timeout = timeout
        self._sleep = sleep
        self._now = now
        self._labels = labels

    def run(self) -> Procedure[Outcome]:
        with ExitStack() as ending:
            ready = yield from join.again(lambda: self._ready(ending))
            if isinstance(ready, Outcome):
                return ready
            return (yield from self._release(*ready).run())

    def _ready(self, ending: ExitStack) -> Procedure[Outcome | tuple[Target, Held | None]]:
        """Return what to bring back, once nobody else changes the stack; or how this has ended.

        Raises Busy when somebody else took the lock while the question was open.
        """
        now = yield from self._seen()
        same = under_way(now.releases, self._number)
        if same is not None:
            ended = yield from self._followed(same)
            if ended is not None:
                return ended
            now = yield from self._seen()
        target, state = yield from self._target(now, write=True)
        held: Held | None = None
        if state.in_progress or target.other is not None:
            held = yield from self._took_over(now.locks.get("ecs"), state, target)
            if held is None:
                return Outcome("cancelled", "nothing was rolled back")
            ending.enter_context(held)
        if held is not None and state.in_progress:
            yield from held.renewed(self._cancelled(state))
            yield from self._close_taken_over(held)
        return target, held

    def preview(self) -> Procedure[bool]:
        """Yield what `run` would do. Writes nothing and does not wait."""
        now = yield from self._seen()
        same = under_way(now.releases, self._number)
        if same is not None:
            yield Notice(f"{_already(same)}: that would be followed")
            return False
        target, state = yield from self._target(now, write=False)
        if state.in_progress:
            yield Notice(f"`{state.name}` is {state.status}: that would be cancelled first")
            return True
        return (yield from self._release(target, None).preview())

    def _release(self, target: Target, held: Held | None) -> UpdateTasks:
        options = Options(
            image=target.release.image,
            strategy=self._strategy,
            timeout=self._timeout,
            back_to=target.release,
        )
        clients, config, root = self._clients, self._config, self._root
        return UpdateTasks(
            clients, config, root, options, held=held, sleep=self._sleep, labels=self._labels
        )

    def _seen(self, *numbers: int) -> Procedure[Snapshot]:
        named = numbers if self._number is None else (*numbers, self._number)
        return (yield from look_at(replace(_LOOK, numbers=named)))

    def _followed(self, same: Release) -> Procedure[Outcome | None]:
        """Return the outcome of a rollback that somebody else began; None if it did not succeed."""
        began = self._now()
        yield Notice(f"{_already(same)}: following that, and not going further back")
        yield from join.free(
            self._clients, "ecs", join=rolling.join, good=False, patience=self._timeout
        )
        now = yield from self._seen(same.number)
        known = yield from closing.close_open(self._clients, now)
        ended = next((one for one in known if one.number == same.number), same)
        if ended.running:
            outcome = Outcome("timed-out", f"{_already(same)}, and has not ended")
        elif ended.good:
            outcome = Outcome("deployed")
        else:
            yield Notice(f"release {same.number} did not succeed: {ended.reason}", warning=True)
            return None
        seconds = round(self._now() - began, 1)
        yield ReleaseResult(outcome, ReleaseImage(same.image), seconds, same.number)
        return outcome

    def _target(self, now: Snapshot, *, write: bool) -> Procedure[tuple[Target, StackState]]:
        state = now.require("stacks", "service", "task_definitions").stacks.get("ecs")
        planning.require_service(now, state)
        if state is None or not state.exists or now.service is None:
            raise gone(now) or OpsError(
                f"there is no service `{self._config.ecs.service_name}` to roll back",
                hint="opsctl update-tasks" if state and state.exists else "opsctl ecs up",
            )
        states.require_ours(state)
        if self._number is not None:
            now.require("releases")
        known = (yield from closing.close_open(self._clients, now)) if write else now.releases
        target = yield from find(self._clients, self._config, now, known, self._number)
        other = now.locks.get("ecs")
        ended = other is not None and self._clients.caller.gone(other.process)
        target = replace(
            target,
            stays=stays(target.release, self._config, now),
            other=other if other is not None and other.held(now.at) and not ended else None,
        )
        yield target
        return target, state

    def _took_over(
        self, theirs: Lock | None, state: StackState, target: Target
    ) -> Procedure[Held | None]:
        """Ask, and take over the lock of whoever rolls now. Returns None when declined.

        A stack that is already rolling back, or cannot be cancelled any more, is followed first.
        """
        by = f" ({target.other.in_words})" if target.other is not None else ""
        if state.status == _CANCELLABLE:
            question = f"`{state.name}` is being changed{by}; cancel that, and go back to"
        elif state.in_progress:
            question = f"`{state.name}` is {state.status}{by}; follow that, then go back to"
        else:
            question = f"somebody else changes the stack{by}; take over, and go back to"
        if not (yield from ask(f"{question} {target.name}?")):
            return None
        stack = definition.stack_name(self._config, "ecs")
        over = theirs.number if theirs is not None else 0
        return (yield from lock.take(self._clients, "ecs", stack, over=over))

    def _cancelled(self, state: StackState) -> Procedure[None]:
        """Cancel the stack's operation if possible, and follow it to its end."""
        operation = Operation.of(state)
        if state.status == _CANCELLABLE:
            yield from join.Undo(self._clients, operation)()
        yield from follow(operation, subject=f"`{state.name}` is being rolled back")

    def _close_taken_over(self, held: Held) -> Procedure[None]:
        """Close the release whose lock we took: its command may not learn its own end."""
        if held.lock is None:
            return
        why = f"taken over by {held.lock.holder}: {held.lock.command}"
        yield from closing.close_open(self._clients, (yield from self._seen()), why=why)


def under_way(known: Sequence[Release], number: int | None) -> Release | None:
    """Return a rollback under way that already does what is asked, or None. Pure.

    When two people want to go back, they want it once; a second rollback would go further back.
    """
    newest = next((one for one in reversed(known) if one.readable), None)
    if newest is None or not newest.running or not newest.back_to:
        return None
    return newest if number in (None, newest.number, newest.back_to) else None


def _already(release: Release) -> str:
    by = f" by {release.name}" if release.name else ""
    return f"release {release.number}{by} goes back to release {release.back_to} already"
