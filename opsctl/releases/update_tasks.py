"""From a commit to healthy tasks: Caddyfile, image, room, question, build, roll, proof."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsctl import docker
from opsctl.config.model import Config
from opsctl.errors import Busy, Detached, OpsError
from opsctl.images import registry
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Overtaken, Procedure, ask, explained, look_at
from opsctl.releases import make
from opsctl.releases.make import Build, Connect, ReleaseImage
from opsctl.rollout import roll as rolling
from opsctl.rollout.plan import Order, Strategy
from opsctl.snapshot.snapshot import Look
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import change

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command; `image` is a reference to roll instead of building one."""

    image: str | None = None
    no_build: bool = False
    force: bool = False
    strategy: Strategy = Strategy.ROLLING
    timeout: timedelta = timedelta(minutes=20)
    early_stop: bool = True


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """The last item of a release. `seconds` it took, from the beginning of the command."""

    outcome: Outcome
    image: ReleaseImage
    seconds: float


class Release:
    """One run of `update-tasks`."""

    def __init__(
        self,
        clients: "Clients",
        config: Config,
        root: Path,
        options: Options,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        connect: Connect = docker.connect,
    ) -> None:
        self._clients = clients
        self._config = config
        self._root = root
        self._options = options
        self._sleep = sleep
        self._now = now
        self._connect = connect
        self._image = ReleaseImage("")
        self._agreed = False
        # The image that ran before, which the clean-up keeps.
        self._before = ""

    def run(self) -> Procedure[Outcome]:
        """Every step; the last item is the ReleaseResult."""
        began = self._now()
        try:
            outcome = yield from self._release()
            outcome = yield from explained(outcome)
        except Detached as left:
            outcome = Outcome("detached", left.message, left.hint)
        seconds = round(self._now() - began, 1)
        yield ReleaseResult(outcome, self._image, seconds)
        if outcome.good:
            yield from self._prune()
        return outcome

    def preview(self) -> Procedure[bool]:
        """What `run` would do; True when something would change. Writes nothing."""
        state = yield from self._settled()
        image, build = yield from self._made(state, write=False)
        yield image
        order = self._order(image.reference or image.target)
        plan = yield from rolling.look(self._config, state, order)
        if build is None and plan.way == "stack":
            yield from rolling.preview(self._clients, state, plan, sleep=self._sleep)
        return build is not None or plan.way != "nothing"

    def _release(self) -> Procedure[Outcome]:
        state = yield from self._settled()
        self._before = state.parameters.get("Image", "")
        self._image, build = yield from self._made(state, write=True)
        yield self._image
        if build is not None:
            # The arithmetic and the question come before minutes of building.
            yield from rolling.look(self._config, state, self._order(self._image.target))
            service = self._config.ecs.service_name
            if not (yield from ask(f"build {self._image.target}, and roll `{service}`?")):
                return Outcome("cancelled", "nothing was built or rolled")
            self._agreed = True
            self._image = yield from self._built(build)
            yield self._image
        while True:
            try:
                # Again, because a build takes minutes, and others do not wait for it.
                state = yield from self._settled()
                order = self._order(self._image.reference)
                plan = yield from rolling.look(self._config, state, order)
                return (
                    yield from rolling.roll(
                        self._clients,
                        self._config,
                        state,
                        plan,
                        order,
                        agreed=self._agreed,
                        sleep=self._sleep,
                    )
                )
            except Busy as overtaken:
                yield Overtaken(f"{overtaken.message}, who was quicker; looking again")

    def _settled(self) -> Procedure[StackState]:
        """The ecs stack, once nobody else is changing it."""
        state = yield from change.settle(self._clients, "ecs", join=rolling.join)
        if state is None or not state.exists:
            raise OpsError(f"there is no stack `{self._config.system}-ecs`", hint="opsctl ecs up")
        return state

    def _made(
        self, state: StackState, *, write: bool
    ) -> Procedure[tuple[ReleaseImage, Build | None]]:
        """The image, and how to build it when the registry does not hold it yet."""
        repository = registry.repository(self._clients.ecr, self._config.image.repository)
        if self._options.image is not None:
            reference = registry.resolve(self._clients.ecr, repository, self._options.image)
            return ReleaseImage(reference), None
        now = yield from look_at(Look(frozenset({"stacks"}), ("db",)))
        db = now.require("stacks").stack("db")
        if db is None:
            raise OpsError(f"there is no stack `{self._config.system}-db`", hint="opsctl db up")
        filled = yield from _last(make.fill(self._config, self._root, db.outputs))
        yield filled
        if write:
            filled.write()
        image, build = make.prepare(self._clients, self._config, self._root, repository, filled)
        if self._options.no_build:
            make.require_image(image, repository)
        return image, None if image.reference else build

    def _built(self, build: Build) -> Procedure[ReleaseImage]:
        image: ReleaseImage = yield from _last(
            make.build(self._clients, self._config, build, connect=self._connect, sleep=self._sleep)
        )
        return image

    def _order(self, image: str) -> Order:
        options = self._options
        return Order(image, options.strategy, options.timeout, options.force, options.early_stop)

    def _prune(self) -> Procedure[None]:
        """Remove old images; the release stands whether or not this caller may do so."""
        config, ecr = self._config.image, self._clients.ecr
        used = [self._image.reference, self._before]
        try:
            repository = registry.repository(ecr, config.repository)
            removed = registry.prune(ecr, repository, keep=config.keep, used=used)
        except ecr.exceptions.ClientError as error:
            yield Notice(f"old images were not removed: {error}", warning=True)
            return
        if removed:
            yield Notice(f"removed {removed} old images, beyond `image.keep`")


def _last(items: Iterator[Any]) -> Procedure[Any]:
    """Pass on all items but the last one, which is the result."""
    last = next(items)
    for item in items:
        yield last
        last = item
    return last
