"""From a commit to healthy tasks: Caddyfile, image, room, question, build, roll, verification."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import aws, docker
from opsctl.alarms import actions, mute
from opsctl.alarms.mute import Mute
from opsctl.config.model import Config
from opsctl.errors import Busy, Detached
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, explained
from opsctl.releases import clean, make
from opsctl.releases.make import Build, Connect, Promotion, ReleaseImage
from opsctl.releases.plan import Options, Plan, Planner
from opsctl.releases.record import Record
from opsctl.rollout import roll as rolling
from opsctl.snapshot import releases
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import change, definition, join, lock
from opsctl.stacks.absent import absent
from opsctl.stacks.lock import Held

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """The last item of a release. `seconds` is the duration of the whole command.

    `number` is that of the ledger; 0 when nothing was rolled or the ledger refused it.
    """

    outcome: Outcome
    image: ReleaseImage
    seconds: float
    number: int = 0


def _quietly(failed: str, procedure: Procedure[None]) -> Procedure[None]:
    """Run what follows a good release. If it fails, that is a warning: the release is live."""
    try:
        yield from procedure
    except Exception as error:
        reason = aws.translate(error)
        if reason is None:
            raise
        yield Notice(f"the release is live, but {failed}: {reason.message}", warning=True)


class UpdateTasks:
    """One run of `update-tasks`. `held` is a lock that the calling command holds already."""

    def __init__(
        self,
        clients: "Clients",
        config: Config,
        root: Path,
        options: Options,
        *,
        held: Held | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        connect: Connect = docker.connect,
        labels: make.Labels = make.labels_of,
    ) -> None:
        self._clients = clients
        self._config = config
        self._options = options
        self._sleep = sleep
        self._now = now
        self._connect = connect
        self._planner = Planner(clients, config, root, options, connect=connect, labels=labels)
        self._image = ReleaseImage("")
        self._agreed = False
        self._record = Record(clients, config.system)
        self._held = held
        self._mute: Mute | None = None
        self._ending = ExitStack()

    def run(self) -> Procedure[Outcome]:
        """Run every step. The last item is the ReleaseResult."""
        began = self._now()
        with self._ending:
            try:
                released = self._record.kept(self._release())
                outcome = yield from lock.watched(released, self._renew)
                if not self._record.taken_over:
                    outcome = yield from explained(outcome)
            except Detached as left:
                outcome = Outcome("detached", left.message, left.hint)
            if outcome.good and not self._options.restart:
                yield from _quietly("the alarms stay silent", self._switch_alarms_on())
                image, kept = self._image.reference, self._record.release
                cleaned = clean.clean(self._clients, self._config, image, kept)
                yield from _quietly("old images were not removed", cleaned)
            seconds = round(self._now() - began, 1)
            number = self._record.release.number if self._record.release else 0
            yield ReleaseResult(outcome, self._image, seconds, number)
        return outcome

    def preview(self) -> Procedure[bool]:
        """Yield what `run` would do. Returns True when something would change.

        Writes nothing, and waits for nobody.
        """
        back = self._options.back_to is not None
        command = "rollback" if back else "restart" if self._options.restart else "update-tasks"
        hint = f"opsctl {command}"
        state = yield from change.live(self._clients, "ecs", self._config, hint)
        plan = yield from self._planner.plan(write=False)
        order = self._planner.order(plan, plan.image.reference or plan.image.target)
        roll = yield from rolling.look(self._config, state, order)
        if plan.making is None and roll.way == "stack":
            bucket = self._config.aws.bucket
            yield from rolling.preview(self._clients, state, roll, bucket=bucket, sleep=self._sleep)
        return plan.making is not None or roll.way != "nothing"

    def _release(self) -> Procedure[Outcome]:
        state = yield from self._settled()
        plan = yield from self._planner.plan(write=True)
        self._image = plan.image
        if plan.making is not None and not (yield from self._agreed_to(plan, plan.making, state)):
            return Outcome("cancelled", "nothing was built or rolled")

        def attempt() -> Procedure[Outcome]:
            nonlocal plan
            # Wait again: a build takes minutes, and others may have changed the stack.
            state = yield from self._settled()
            if self._options.restart and definition.release(state) != self._image.reference:
                # Somebody released in the meantime: restart what the stack asks for now.
                plan = yield from self._planner.plan(write=True)
                self._image = plan.image
            return (yield from self._rolled(plan, state))

        return (yield from join.again(attempt))

    def _agreed_to(
        self, plan: Plan, making: Build | Promotion, state: StackState
    ) -> Procedure[bool]:
        """Do the arithmetic, ask, and make the image. Returns False when declined."""
        yield from rolling.look(self._config, state, self._planner.order(plan, making.target))
        verb = "build" if isinstance(making, Build) else "copy"
        service = self._config.ecs.service_name
        if isinstance(making, Build):
            self._connect().close()  # without an engine an answer would be in vain
        if not (yield from ask(f"{verb} {making.target}, and roll `{service}`?")):
            return False
        self._agreed = True
        yield from self._locked()
        self._image = yield from self._made(making)
        yield self._image
        return True

    def _rolled(self, plan: Plan, state: StackState) -> Procedure[Outcome]:
        release = replace(plan.release, image=self._image.reference)
        order = self._planner.order(plan, self._image.reference)
        roll = yield from rolling.look(self._config, state, order)
        return (
            yield from rolling.roll(
                self._clients,
                self._config,
                state,
                roll,
                order,
                agreed=self._agreed,
                begin=partial(self._begin, release),
                sleep=self._sleep,
            )
        )

    def _begin(self, release: releases.Release, now: Snapshot, change_set: str) -> Procedure[None]:
        """Called after the answer and before the change.

        Raises Busy when somebody holds the lock.
        """
        if self._held is None:
            self._hold((yield from self._lock()))
        if self._mute is None:
            self._mute = yield from mute.begin(self._clients, self._config)
        yield from self._record.begin(release, now, change_set)

    def _locked(self) -> Procedure[None]:
        """Wait for the lock, and keep what was agreed to if somebody else rolls first."""

        def attempt() -> Procedure[None]:
            try:
                self._hold((yield from self._lock()))
            except Busy:
                yield from self._settled()
                raise

        if self._held is None:
            yield from join.again(attempt)

    def _lock(self) -> Procedure[Held]:
        stack = definition.stack_name(self._config, "ecs")
        return (yield from lock.take(self._clients, "ecs", stack))

    def _hold(self, held: Held) -> None:
        self._held = self._ending.enter_context(held)

    def _renew(self) -> None:
        if self._held is not None:
            self._held.renew()
        if self._mute is not None:
            self._mute.renew()

    def _settled(self) -> Procedure[StackState]:
        """Return the ecs stack once nobody else changes it."""
        own = self._held.lock if self._held else None
        state = yield from change.settle(
            self._clients, "ecs", follow=rolling.join, own=own, patience=self._options.timeout
        )
        if state is None or not state.exists:
            raise (yield from absent(self._config, "ecs"))
        return state

    def _made(self, making: Build | Promotion) -> Procedure[ReleaseImage]:
        clients, config, sleep = self._clients, self._config, self._sleep
        if isinstance(making, Promotion):
            return (yield from make.promote(clients, making, sleep=sleep))
        return (yield from make.build(clients, config, making, connect=self._connect, sleep=sleep))

    def _switch_alarms_on(self) -> Procedure[None]:
        release = self._record.release
        if release is not None and not release.before:
            yield from actions.switch_on(self._clients, self._config)
