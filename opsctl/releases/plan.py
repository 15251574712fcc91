"""What a release would bring: its image, how that is made, what it changes. Builds nothing."""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from opsctl import disk, docker
from opsctl.config.model import Config
from opsctl.images import registry, revision
from opsctl.images.registry import Repository
from opsctl.procedure import Procedure, look_at
from opsctl.releases import closing, difference, facts, make
from opsctl.releases import repository as repositories
from opsctl.releases.difference import Changed, Difference
from opsctl.releases.make import Build, Caddyfile, Connect, Promotion, ReleaseImage
from opsctl.rollout.plan import Order, Strategy
from opsctl.snapshot import releases
from opsctl.snapshot.snapshot import Snapshot
from opsctl.stacks import definition

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
class Plan:
    """What would be released: its image, how that is made, and what it changes."""

    release: releases.Release
    image: ReleaseImage
    making: Making
    difference: Difference
    now: Snapshot


class Planner:
    """Plans a release of one system with the command's options."""

    def __init__(
        self,
        clients: "Clients",
        config: Config,
        root: Path,
        options: Options,
        *,
        connect: Connect = docker.connect,
        labels: make.Labels = make.labels_of,
    ) -> None:
        self._clients = clients
        self._config = config
        self._root = root
        self._options = options
        self._connect = connect
        self._labels = labels

    def plan(self, *, write: bool, quiet: bool = False) -> Procedure[Plan]:
        """Return what would be released and what that changes. Builds and rolls nothing."""
        now = yield from look_at(facts.LOOK)
        facts.require_secrets(self._config, now, self._options.back_to)
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

    def compare(self, before: releases.Release | None) -> Procedure[Difference]:
        """Compare this directory with a release, or with what runs. Writes nothing."""
        plan = yield from self.plan(write=False, quiet=True)
        if before is None:
            return plan.difference
        return self._difference(plan.now, before, plan.release)

    def order(self, plan: Plan, image: str) -> Order:
        options = self._options
        topics = {one.topic for one in plan.difference.changes if one.rolls}
        own = options.of_directory
        return Order(
            image,
            options.strategy,
            options.timeout,
            options.force or options.restart,
            template=definition.ecs(self._config, state=plan.now.stack("ecs")).template
            if own and topics & {"environment", "stack"}
            else "",
            renew=own and "secrets" in topics,
            early_stop=options.early_stop,
            verb="restart" if options.restart else "roll",
        )

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
        base = yield from make.look_at_base(
            self._config, self._root, self._connect, known=live.base
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
        filled = yield from make.fill(self._config, self._root, outputs)
        yield filled
        if write:
            filled.write()
        return filled
