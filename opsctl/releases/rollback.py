"""Go back to what worked: choose a release, cancel what rolls, and roll its image again."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.images import registry
from opsctl.images.registry import Repository
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, follow, look_at
from opsctl.releases import closing, difference, facts, make
from opsctl.releases import repository as repositories
from opsctl.releases.difference import Changed
from opsctl.releases.make import ReleaseImage
from opsctl.releases.plan import Options
from opsctl.releases.update_tasks import Release, ReleaseResult
from opsctl.rollout import roll as rolling
from opsctl.rollout.plan import Strategy
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release as Released
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition, join, lock, states
from opsctl.stacks.lock import Held
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOK = facts.LOOK | Look(frozenset({"revisions"}), ("ecs",), releases=100)
# The stack status in which a roll can be cancelled.
_CANCELLABLE = "UPDATE_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Target:
    """What is brought back. `number` is 0 when there is no ledger and a task definition is used.

    `stays` is what differs from that release and is not reverted. `other` is the lock of whoever
    changes the stack now.
    """

    release: Released
    running: Released | None
    stays: tuple[Changed, ...] = ()
    other: Lock | None = None

    @property
    def name(self) -> str:
        if self.release.number:
            return f"release {self.release.number}"
        return f"the image of {self.release.definition}"


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
        now = yield from self._seen()
        same = under_way(now.releases, self._number)
        if same is not None:
            ended = yield from self._followed(same)
            if ended is not None:
                return ended
            now = yield from self._seen()
        target, state = yield from self._target(now, write=True)
        with ExitStack() as ending:
            held: Held | None = None
            if state.in_progress or target.other is not None:
                held = yield from self._took_over(state, target)
                if held is None:
                    return Outcome("cancelled", "nothing was rolled back")
                ending.enter_context(held)
            if held is not None and state.in_progress:
                yield from held.renewed(self._cancelled(state))
                yield from self._close_taken_over(held)
            return (yield from self._release(target, held).run())

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

    def _release(self, target: Target, held: Held | None) -> Release:
        options = Options(
            image=target.release.image,
            strategy=self._strategy,
            timeout=self._timeout,
            back_to=target.release,
        )
        clients, config, root = self._clients, self._config, self._root
        return Release(
            clients, config, root, options, held=held, sleep=self._sleep, labels=self._labels
        )

    def _seen(self, *numbers: int) -> Procedure[Snapshot]:
        named = numbers if self._number is None else (*numbers, self._number)
        return (yield from look_at(replace(_LOOK, numbers=named)))

    def _followed(self, same: Released) -> Procedure[Outcome | None]:
        """Return the outcome of a rollback that somebody else began; None if it did not succeed."""
        began = self._now()
        yield Notice(f"{_already(same)}: following that, and not going further back")
        yield from join.free(self._clients, "ecs", join=rolling.join, good=False)
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
        if state is None or not state.exists or now.service is None:
            raise OpsError(
                f"there is no service `{self._config.ecs.service_name}` to roll back",
                hint="opsctl update-tasks" if state and state.exists else "opsctl ecs up",
            )
        states.require_ours(state)
        if self._number is not None:
            now.require("releases")
        known = (yield from closing.close_open(self._clients, now)) if write else now.releases
        repository = repositories.own(self._clients, self._config, now)
        target = yield from self._chosen(now, known, repository)
        other = now.locks.get("ecs")
        gone = other is not None and self._clients.caller.gone(other.process)
        target = replace(
            target,
            stays=stays(target.release, self._config, now),
            other=other if other is not None and other.held(now.at) and not gone else None,
        )
        yield target
        return target, state

    def _chosen(
        self, now: Snapshot, known: Sequence[Released], repository: Repository
    ) -> Procedure[Target]:
        running = closing.running(now, known)
        wanted = choose(known, running, self._number)
        if wanted is None and known and "@" not in known[0].before:
            at = running or known[-1]
            origin = closing.original(at, known)
            same = f" (release {at.number} runs its image)" if origin.number != at.number else ""
            raise OpsError(
                f"there is no good release before {origin.number}{same}",
                hint="opsctl history; to roll any image: opsctl update-tasks --image REF",
            )
        if wanted is None:
            target = self._from_definitions(now, repository)
            why = next((one.reason for one in now.unread if one.part == "releases"), "")
            state = f"cannot be read ({why})" if why else "has no good release to go back to"
            yield Notice(
                f"the ledger {state}: taking {target.name}, the one before; "
                "whether it was good is not known",
                warning=True,
            )
            return target
        if self._number is None and wanted == running:
            further = _before(closing.original(running, known), known)
            newest = next(one for one in reversed(known) if one.readable)
            said = f"release {newest.number} failed, and release {running.number} runs again"
            if newest == running:
                said = (
                    f"release {running.number} has brought back release {running.back_to} already"
                )
            yield Notice(
                said
                + (f"; to go further back: opsctl rollback {further.number}" if further else "")
            )
        return self._from_ledger(wanted, running, known, repository)

    def _from_ledger(
        self,
        wanted: Released,
        running: Released | None,
        known: Sequence[Released],
        repository: Repository,
    ) -> Target:
        """Return the target. Raises OpsError, with an older release, for an image that is gone."""
        if self._holds(repository, wanted):
            return Target(wanted, running)
        older = (one for one in candidates(known, wanted.number) if self._holds(repository, one))
        next_one = next(older, None)
        gone = f"the image of release {wanted.number} ({difference.short(wanted.digest)})"
        raise OpsError(
            f"{gone} is not in `{repository.name}` any more"
            + (f"; that of release {next_one.number} is" if next_one else ", nor any older one"),
            hint=f"opsctl rollback {next_one.number}" if next_one else "opsctl update-tasks",
            cause="image-not-found",
        )

    def _from_definitions(self, now: Snapshot, repository: Repository) -> Target:
        if self._number is not None:
            raise OpsError(f"the ledger has no release {self._number}", hint="opsctl history")
        live = facts.live(now, ())
        primary = now.primary
        revision = int(primary.revision.rpartition(":")[2]) if primary else 0
        for one in now.revisions:
            image = next(iter(one.images), "")
            earlier = Released(0, now.at, image=image, definition=one.revision)
            if int(one.revision.rpartition(":")[2]) >= revision or image == live.image:
                continue
            if image.startswith(f"{repository.uri}@") and self._holds(repository, earlier):
                return Target(earlier, None)
        raise OpsError(
            "neither the ledger nor an earlier task definition names an image that is still there",
            hint="opsctl update-tasks --image REF",
            cause="image-not-found",
        )

    def _holds(self, repository: Repository, release: Released) -> bool:
        return registry.holds(self._clients.ecr, repository, release.digest)

    def _took_over(self, state: StackState, target: Target) -> Procedure[Held | None]:
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
        return (yield from lock.take(self._clients, "ecs", stack, over=True))

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


def stays(release: Released, config: Config, now: Snapshot) -> tuple[Changed, ...]:
    """Return what differs from the time of the release and stays as it is now. Pure."""
    live = facts.live(now, ())
    then = replace(release, image="", caddyfile="", commit="", content="", base="")
    after = replace(
        then,
        variables=live.variables if release.variables else {},
        secrets=facts.versions(now) if release.secrets else {},
        cpu=live.cpu,
        memory=live.memory,
        desired=live.desired,
    )
    changes = difference.between(then, after)
    if release.config and release.config != facts.config_hash(config):
        changes = (*changes, Changed("stack", "opsctl.yaml has changed since then", rolls=False))
    return changes


def candidates(known: Sequence[Released], before: int) -> list[Released]:
    """Return good releases before this number, newest first, one for each image."""
    by_digest: dict[str, Released] = {}
    for release in sorted(known, key=lambda one: one.number, reverse=True):
        if release.number < before and release.good and release.digest:
            by_digest.setdefault(release.digest, release)
    return list(by_digest.values())


def under_way(known: Sequence[Released], number: int | None) -> Released | None:
    """Return a rollback under way that already does what is asked, or None. Pure.

    When two people want to go back, they want it once; a second rollback would go further back.
    """
    newest = next((one for one in reversed(known) if one.readable), None)
    if newest is None or not newest.running or not newest.back_to:
        return None
    return newest if number in (None, newest.number, newest.back_to) else None


def _already(release: Released) -> str:
    by = f" by {release.name}" if release.name else ""
    return f"release {release.number}{by} goes back to release {release.back_to} already"


def choose(
    known: Sequence[Released], running: Released | None, number: int | None
) -> Released | None:
    """Return the release to bring back; None when the ledger names none. Pure.

    Without a number it is the last good release before the running one. A release that a rollback
    brought back counts as the original, so another rollback goes further back. If the newest
    release failed and the one before it runs again, it is that one; unless the newest was a
    rollback, because then what runs is what it should leave. If no release made what runs, it
    counts as newer than all of them: the ledger could not be written then. Raises OpsError for an
    unknown number.
    """
    if number is not None:
        chosen = next((one for one in known if one.number == number), None)
        if chosen is not None and not chosen.readable:
            raise OpsError(f"release {number} cannot be brought back: {chosen.reason}")
        if chosen is None or not chosen.digest:
            raise OpsError(f"there is no release {number} to go back to", hint="opsctl history")
        return chosen
    known = [one for one in known if one.readable]
    if not known:
        return None
    newest = known[-1]
    if newest.bad and newest.back_to and (running is None or running.digest != newest.digest):
        return _after_failed(newest, known)
    if running == newest and newest.back_to and newest.reason.startswith(closing.LEFT):
        return running  # its command was killed before it could report success
    if newest.bad and running is not None and running.good:
        return running  # it runs again already: the caller means the one that failed
    at = newest if newest.running else running
    if at is None:
        return next(iter(candidates(known, newest.number + 1)), None)
    return _before(closing.original(at, known), known)


def _before(release: Released, known: Sequence[Released]) -> Released | None:
    """Return the last good release before this one with another image."""
    earlier = candidates(known, release.number)
    return next((one for one in earlier if one.digest != release.digest), None)


def _after_failed(rollback: Released, known: Sequence[Released]) -> Released | None:
    """Return the release that the failed rollback did not try, else the good one before it."""
    wanted = closing.original(rollback, known)
    if rollback.outcome == "failed" and wanted.good and wanted.digest:
        return wanted
    return _before(wanted, known)
