"""From a commit to healthy tasks: Caddyfile, image, room, question, build, roll, verification."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from opsctl import disk, docker
from opsctl.alarms import actions, mute
from opsctl.alarms.mute import Mute
from opsctl.config.model import Config
from opsctl.errors import Busy, Detached, OpsError
from opsctl.images import registry, revision
from opsctl.images.registry import Repository
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Overtaken, Procedure, ask, explained, look_at
from opsctl.releases import clean, closing, difference, facts, make
from opsctl.releases import repository as repositories
from opsctl.releases.difference import Changed, Difference
from opsctl.releases.make import Build, Caddyfile, Connect, Promotion, ReleaseImage
from opsctl.releases.record import Record
from opsctl.rollout import roll as rolling
from opsctl.rollout.plan import Order, Strategy
from opsctl.snapshot import releases
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import change, definition, lock
from opsctl.stacks.lock import Held

if TYPE_CHECKING:
    from opsctl.aws import Clients

Making: TypeAlias = Build | Promotion | None


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options. `image` is a reference to roll instead of building one.

    `back_to` is the release that a rollback restores; `restart` starts new tasks of what runs. Both
    use an existing image and nothing of this directory.
    """

    image: str | None = None
    no_build: bool = False
    rebuild: bool = False
    force: bool = False
    strategy: Strategy = Strategy.ROLLING
    timeout: timedelta = timedelta(minutes=20)
    back_to: releases.Release | None = None
    early_stop: bool = True
    restart: bool = False

    @property
    def of_directory(self) -> bool:
        """Whether the content of this directory is released."""
        return self.back_to is None and not self.restart


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """The last item of a release. `seconds` is the duration of the whole command.

    `number` is that of the ledger; 0 when nothing was rolled or the ledger refused it.
    """

    outcome: Outcome
    image: ReleaseImage
    seconds: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be released: its image, how that is made, and what it changes."""

    release: releases.Release
    image: ReleaseImage
    making: Making
    difference: Difference
    now: Snapshot


class Release:
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
        self._root = root
        self._options = options
        self._sleep = sleep
        self._now = now
        self._connect = connect
        self._labels = labels
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
            seconds = round(self._now() - began, 1)
            number = self._record.release.number if self._record.release else 0
            yield ReleaseResult(outcome, self._image, seconds, number)
            if outcome.good and not self._options.restart:
                yield from self._switch_alarms_on()
                image, kept = self._image.reference, self._record.release
                yield from clean.clean(self._clients, self._config, image, kept)
        return outcome

    def preview(self) -> Procedure[bool]:
        """Yield what `run` would do. Returns True when something would change. Writes nothing."""
        state = yield from self._settled()
        plan = yield from self._planned(write=False)
        order = self._order(plan, plan.image.reference or plan.image.target)
        roll = yield from rolling.look(self._config, state, order)
        if plan.making is None and roll.way == "stack":
            yield from rolling.preview(self._clients, state, roll, sleep=self._sleep)
        return plan.making is not None or roll.way != "nothing"

    def compare(self, before: releases.Release | None) -> Procedure[Difference]:
        """Compare this directory with a release, or with what runs. Writes nothing."""
        plan = yield from self._planned(write=False, quiet=True)
        if before is None:
            return plan.difference
        return self._difference(plan.now, before, plan.release)

    def _release(self) -> Procedure[Outcome]:
        state = yield from self._settled()
        plan = yield from self._planned(write=True)
        self._image = plan.image
        if plan.making is not None and not (yield from self._agreed_to(plan, plan.making, state)):
            return Outcome("cancelled", "nothing was built or rolled")
        while True:
            try:
                # Wait again: a build takes minutes, and others may have changed the stack.
                state = yield from self._settled()
                if self._options.restart and definition.release(state) != self._image.reference:
                    # Somebody released in the meantime: restart what the stack asks for now.
                    plan = yield from self._planned(write=True)
                    self._image = plan.image
                return (yield from self._rolled(plan, state))
            except Busy as overtaken:
                yield Overtaken(f"{overtaken.message}; looking again")

    def _agreed_to(
        self, plan: Plan, making: Build | Promotion, state: StackState
    ) -> Procedure[bool]:
        """Do the arithmetic, ask, and make the image. Returns False when declined."""
        yield from rolling.look(self._config, state, self._order(plan, making.target))
        verb = "build" if isinstance(making, Build) else "copy"
        service = self._config.ecs.service_name
        if not (yield from ask(f"{verb} {making.target}, and roll `{service}`?")):
            return False
        self._agreed = True
        yield from self._locked()
        self._image = yield from self._made(making)
        yield self._image
        return True

    def _rolled(self, plan: Plan, state: StackState) -> Procedure[Outcome]:
        release = replace(plan.release, image=self._image.reference)
        order = self._order(plan, self._image.reference)
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
        while self._held is None:
            try:
                self._hold((yield from self._lock()))
            except Busy as overtaken:
                yield Notice(overtaken.message)
                yield from self._settled()

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
        state = yield from change.settle(self._clients, "ecs", follow=rolling.join, own=own)
        if state is None or not state.exists:
            raise OpsError(f"there is no stack `{self._config.system}-ecs`", hint="opsctl ecs up")
        return state

    def _planned(self, *, write: bool, quiet: bool = False) -> Procedure[Plan]:
        """Return what would be released and what that changes. Builds and rolls nothing."""
        now = yield from look_at(facts.LOOK)
        if self._options.back_to is None:
            facts.require_secrets(self._config, now)
        known = (yield from closing.close_open(self._clients, now)) if write else now.releases
        live = facts.live(now, known)
        release = facts.planned(self._config, now)
        repository = repositories.own(self._clients, self._config, now)
        making: Making = None
        wanted = facts.released_image(now) if self._options.restart else self._options.image
        if wanted is not None:
            named = registry.resolve(self._clients.ecr, repository, wanted)
            image, making = make.named(self._clients, repository, named)
            release = facts.of_image(release, image.reference or image.target, known)
            if not release.commit:
                release = facts.labelled(release, self._labels(self._clients, named))
        else:
            own = self._own(now, release, live, known, repository, write=write)
            release, image, making = yield from own
        if not self._options.of_directory:
            # What runs keeps its environment, but not the history of an older release.
            kept = replace(
                live,
                number=0,
                back_to=0,
                secrets=release.secrets,
                environment=release.environment,
            )
            release = facts.of_image(kept, image.reference, known)
        back = self._options.back_to
        if back is not None:
            release = replace(release, back_to=back.number, environment=back.environment)
        difference = self._difference(now, live, release)
        if not quiet:
            yield difference
            yield image
        changed = (*(["restart"] if self._options.restart else ()), *difference.reasons)
        return Plan(replace(release, changed=changed), image, making, difference, now)

    def _difference(
        self, now: Snapshot, live: releases.Release, release: releases.Release
    ) -> Difference:
        directory = disk.real(self._root / self._config.image.context)
        commits = revision.commits(directory, live.commit, release.commit)
        unread = [one for one in now.unread if one.part in ("releases", "secret_versions")]
        more = [Changed("unread", one.reason, rolls=False) for one in unread]
        own, back = self._options.of_directory, self._options.back_to
        if own and (names := facts.changed_references(self._config, now)):
            more.append(Changed("environment", f"{', '.join(names)}: another secret"))
        after = "this image" if self._options.image else "this directory"
        if self._options.restart:
            after = "new tasks of it"
        if back is not None:
            name = f"release {back.number}" if back.number else f"the image of {back.definition}"
            after = f"{name} again"
        return Difference(
            f"release {live.number}" if live.number else "what runs",
            after,
            difference.between(live, release, commits=commits, more=more),
        )

    def _own(
        self,
        now: Snapshot,
        release: releases.Release,
        live: releases.Release,
        known: tuple[releases.Release, ...],
        repository: Repository,
        *,
        write: bool,
    ) -> Procedure[tuple[releases.Release, ReleaseImage, Making]]:
        """Return the image of this directory, and how to build it if the registry lacks it."""
        filled = yield from self._filled(now, write=write)
        base = yield from _last(
            make.look_at_base(self._config, self._root, self._connect, known=live.base)
        )
        image, build = make.prepare(
            self._clients,
            self._config,
            self._root,
            repository,
            filled,
            base=base,
            rebuild=uuid.uuid4().hex[:8] if self._options.rebuild else "",
        )
        if not self._options.rebuild:
            image = self._rebuilt(image, known, repository)
        if self._options.no_build:
            make.require_image(image, repository)
        release = facts.made(release, build, filled, image=image.reference)
        return release, image, None if image.reference else build

    def _rebuilt(
        self, image: ReleaseImage, known: tuple[releases.Release, ...], repository: Repository
    ) -> ReleaseImage:
        """Return the newest good image of this content: `--rebuild` may have made another one."""
        same = (one for one in reversed(known) if one.good and one.content == image.content)
        newest = next(same, None)
        if newest is None or newest.image == image.reference:
            return image
        if not registry.holds(self._clients.ecr, repository, newest.digest):
            return image
        return replace(image, reference=f"{repository.uri}@{newest.digest}")

    def _filled(self, now: Snapshot, *, write: bool) -> Procedure[Caddyfile]:
        outputs = make.outputs(self._config, now)
        filled: Caddyfile = yield from _last(make.fill(self._config, self._root, outputs))
        yield filled
        if write:
            filled.write()
        return filled

    def _made(self, making: Build | Promotion) -> Procedure[ReleaseImage]:
        clients, sleep = self._clients, self._sleep
        image: ReleaseImage
        if isinstance(making, Promotion):
            image = yield from _last(make.promote(clients, making, sleep=sleep))
        else:
            steps = make.build(clients, self._config, making, connect=self._connect, sleep=sleep)
            image = yield from _last(steps)
        return image

    def _order(self, plan: Plan, image: str) -> Order:
        options = self._options
        topics = {one.topic for one in plan.difference.changes if one.rolls}
        own = options.of_directory
        return Order(
            image,
            options.strategy,
            options.timeout,
            options.force or options.restart,
            template=definition.ecs(self._config).template
            if own and topics & {"environment", "stack"}
            else "",
            renew=own and "secrets" in topics,
            early_stop=options.early_stop,
            verb="restart" if options.restart else "roll",
        )

    def _switch_alarms_on(self) -> Procedure[None]:
        release = self._record.release
        if release is not None and not release.before:
            yield from actions.switch_on(self._clients, self._config)


def _last(items: Iterator[Any]) -> Procedure[Any]:
    """Pass on all items but the last, and return that one."""
    last = next(items)
    for item in items:
        yield last
        last = item
    return last
