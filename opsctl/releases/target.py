"""What a rollback brings back: a release of the ledger, or an earlier task definition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.images import registry
from opsctl.images.registry import Repository
from opsctl.procedure import Notice, Procedure
from opsctl.releases import closing, difference, facts
from opsctl.releases import repository as repositories
from opsctl.releases.difference import Changed
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Target:
    """What is brought back. `number` is 0 when there is no ledger and a task definition is used.

    `stays` is what differs from that release and is not reverted. `other` is the lock of whoever
    changes the stack now.
    """

    release: Release
    running: Release | None
    stays: tuple[Changed, ...] = ()
    other: Lock | None = None

    @property
    def name(self) -> str:
        if self.release.number:
            return f"release {self.release.number}"
        return f"the image of {self.release.definition}"


def find(
    clients: "Clients",
    config: Config,
    now: Snapshot,
    known: Sequence[Release],
    number: int | None,
) -> Procedure[Target]:
    """Return release `number`, or without one what `choose` names, if its image is still there.

    Raises OpsError when there is none.
    """
    repository = repositories.own(clients, config, now)
    running = closing.running(now, known)
    wanted = choose(known, running, number)
    if wanted is None and known and "@" not in known[0].before:
        at = running or known[-1]
        origin = closing.original(at, known)
        same = f" (release {at.number} runs its image)" if origin.number != at.number else ""
        stack = now.stack("ecs")
        hint = "opsctl history; to roll any image: opsctl update-tasks --image REF"
        if stack is not None and stack.status == "UPDATE_IN_PROGRESS":
            hint = "to follow what is running, and to cancel it by Ctrl-C: opsctl update-tasks"
        raise OpsError(f"there is no good release before {origin.number}{same}", hint=hint)
    if wanted is None:
        target = _from_definitions(clients, now, repository, number)
        why = next((one.reason for one in now.unread if one.part == "releases"), "")
        state = f"cannot be read ({why})" if why else "has no good release to go back to"
        yield Notice(
            f"the ledger {state}: taking {target.name}, the one before; "
            "whether it was good is not known",
            warning=True,
        )
        return target
    if number is None and wanted == running:
        further = _before(closing.original(running, known), known)
        newest = next(one for one in reversed(known) if one.readable)
        said = f"release {newest.number} failed, and release {running.number} runs again"
        if newest == running:
            said = f"release {running.number} has brought back release {running.back_to} already"
        yield Notice(
            said + (f"; to go further back: opsctl rollback {further.number}" if further else "")
        )
    return _from_ledger(clients, wanted, running, known, repository)


def choose(known: Sequence[Release], running: Release | None, number: int | None) -> Release | None:
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


def stays(release: Release, config: Config, now: Snapshot) -> tuple[Changed, ...]:
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


def candidates(known: Sequence[Release], before: int) -> list[Release]:
    """Return good releases before this number, newest first, one for each image."""
    by_digest: dict[str, Release] = {}
    for release in sorted(known, key=lambda one: one.number, reverse=True):
        if release.number < before and release.good and release.digest:
            by_digest.setdefault(release.digest, release)
    return list(by_digest.values())


def _from_ledger(
    clients: "Clients",
    wanted: Release,
    running: Release | None,
    known: Sequence[Release],
    repository: Repository,
) -> Target:
    """Return the target. Raises OpsError, with an older release, for an image that is gone."""
    if _holds(clients, repository, wanted):
        return Target(wanted, running)
    older = (one for one in candidates(known, wanted.number) if _holds(clients, repository, one))
    next_one = next(older, None)
    gone = f"the image of release {wanted.number} ({difference.short(wanted.digest)})"
    raise OpsError(
        f"{gone} is not in `{repository.name}` any more"
        + (f"; that of release {next_one.number} is" if next_one else ", nor any older one"),
        hint=f"opsctl rollback {next_one.number}" if next_one else "opsctl update-tasks",
        cause="image-not-found",
    )


def _from_definitions(
    clients: "Clients", now: Snapshot, repository: Repository, number: int | None
) -> Target:
    if number is not None:
        raise OpsError(f"the ledger has no release {number}", hint="opsctl history")
    live = facts.live(now, ())
    primary = now.primary
    revision = int(primary.revision.rpartition(":")[2]) if primary else 0
    for one in now.revisions:
        image = next(iter(one.images), "")
        earlier = Release(0, now.at, image=image, definition=one.revision)
        if int(one.revision.rpartition(":")[2]) >= revision or image == live.image:
            continue
        if image.startswith(f"{repository.uri}@") and _holds(clients, repository, earlier):
            return Target(earlier, None)
    raise OpsError(
        "neither the ledger nor an earlier task definition names an image that is still there",
        hint="opsctl update-tasks --image REF",
        cause="image-not-found",
    )


def _holds(clients: "Clients", repository: Repository, release: Release) -> bool:
    return registry.holds(clients.ecr, repository, release.digest)


def _before(release: Release, known: Sequence[Release]) -> Release | None:
    """Return the last good release before this one with another image."""
    earlier = candidates(known, release.number)
    return next((one for one in earlier if one.digest != release.digest), None)


def _after_failed(rollback: Release, known: Sequence[Release]) -> Release | None:
    """Return the release that the failed rollback did not try, else the good one before it."""
    wanted = closing.original(rollback, known)
    if rollback.outcome == "failed" and wanted.good and wanted.digest:
        return wanted
    return _before(wanted, known)
