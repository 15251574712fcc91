"""Judge how a release ended whose command was killed, from what is live now, and close it.

The next command that reads the ledger does this, so the history is true on every machine.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.outcome import Outcome
from opsctl.procedure import Procedure
from opsctl.releases import ledger
from opsctl.rollout import verdict
from opsctl.snapshot.releases import Release
from opsctl.snapshot.service import Deployment
from opsctl.snapshot.snapshot import Look, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients

# What judging needs to see.
LOOK = Look(
    frozenset({"stacks", "locks", "service", "task_definitions", "targets", "releases"}), ("ecs",)
)
# Why the end of a release was judged instead of written by its own command.
LEFT = "the command that made it ended before its outcome was known"


def close_open(
    clients: "Clients", now: Snapshot, *, why: str = LEFT
) -> Procedure[tuple[Release, ...]]:
    """Close the releases that a command left open, and return all releases of this snapshot.

    `why` says why somebody else has to judge.
    """
    closed: list[Release] = []
    for release, later in _pairs(now.releases):
        outcome = judge(release, later, now, gone=clients.caller.gone, why=why)
        if outcome is not None:
            primary = now.primary
            ours = primary is not None and outcome.kind.startswith("deployed")
            release = yield from ledger.end(
                clients,
                now.names.system,
                release,
                outcome,
                now=later.begun if later else now.at,
                definition=primary.revision if primary and ours else "",
                deployment=primary.id if primary and ours else "",
            )
        closed.append(release)
    return tuple(closed)


def _pairs(releases: Sequence[Release]) -> list[tuple[Release, Release | None]]:
    """Return each release with the next readable one, or None."""
    return [
        (one, next((later for later in releases[at + 1 :] if later.readable), None))
        for at, one in enumerate(releases)
    ]


def judge(
    release: Release,
    later: Release | None,
    now: Snapshot,
    *,
    gone: Callable[[str], bool] = lambda process: False,
    why: str = LEFT,
) -> Outcome | None:
    """Return how the release ended.

    Returns None if it is closed, still under way, or cannot be judged from this snapshot. `gone`
    says whether a process has certainly ended.
    """
    unread = {one.part for one in now.unread}
    if not release.running or unread & {"stacks", "service", "task_definitions", "targets"}:
        return None
    if later is not None:
        return _before(release, later, why)
    if _goes_on(release, now, gone):
        return None
    primary = now.primary
    if primary is None:
        return Outcome("failed", f"{why}; the service is not there any more")
    if now.runs(release.image, primary) and primary.id != release.before_deployment:
        return _live(primary, now, why)
    began = _began(release, primary, now)
    if release.before and not now.runs(release.before, primary):
        return Outcome("superseded", f"{why}; {primary.revision} runs, which holds another image")
    if not began:
        return Outcome("failed", "the command that made it ended before anything was changed")
    state = now.stack("ecs")
    more = f": {state.reason}" if state and state.reason and "ROLLBACK" in state.status else ""
    return Outcome("rolled-back", f"{why}; {primary.revision} is the primary deployment{more}")


def _before(release: Release, later: Release, why: str) -> Outcome:
    """Judge from what the next release saw when it began."""
    if later.before == release.image and later.before_deployment != release.before_deployment:
        return Outcome("deployed", f"{why}; release {later.number} found it running")
    if later.before == release.before:
        return Outcome("rolled-back", f"{why}; release {later.number} found the old image running")
    return Outcome("superseded", f"{why}; release {later.number} came after it")


def _goes_on(release: Release, now: Snapshot, gone: Callable[[str], bool]) -> bool:
    """Return whether its command still runs, or the stack operation that it began."""
    lock, state = now.locks.get("ecs"), now.stacks.get("ecs")
    holds = lock is not None and lock.held(now.at) and lock.process == release.process
    if holds and not gone(release.process):
        return True
    return state is not None and state.in_progress


def _live(primary: Deployment, now: Snapshot, why: str) -> Outcome | None:
    if verdict.settled(now):
        return Outcome("deployed", why)
    if primary.state == "IN_PROGRESS":
        return None
    health = primary.reason or f"{now.healthy} targets are healthy"
    return Outcome("deployed-unhealthy", f"{why}; {health}")


def _began(release: Release, primary: Deployment, now: Snapshot) -> bool:
    """Return whether the service or its stack has changed since the release began."""
    state = now.stack("ecs")
    if primary.id != release.before_deployment:
        return True
    return state is not None and _after(state.changed, release.begun)


def _after(time: datetime | None, begun: datetime) -> bool:
    return time is not None and time >= begun


def running(now: Snapshot, releases: Sequence[Release]) -> Release | None:
    """Return the newest release whose image the primary deployment runs.

    Prefers one under way, then a good one: an image that was rolled back may have been released
    again.
    """
    primary = now.primary
    if primary is None:
        return None
    same = [one for one in reversed(releases) if one.image and now.runs(one.image, primary)]
    rolling = [one for one in same if one.running]
    return next(iter([*rolling, *(one for one in same if one.good), *same]), None)


def original(release: Release, releases: Sequence[Release]) -> Release:
    """Return the release that first brought this image, or the release itself.

    A rollback, a restart, `--force` and `ecs up` roll an image that an earlier release brought.
    """
    seen = {release.number}
    while (earlier := _earlier(release, releases)) is not None and earlier.number not in seen:
        seen.add(earlier.number)
        release = earlier
    return release


def _earlier(release: Release, releases: Sequence[Release]) -> Release | None:
    if release.back_to:
        return next((one for one in releases if one.number == release.back_to), None)
    if not release.digest or release.before.rpartition("@")[2] != release.digest:
        return None
    same = (one for one in reversed(releases) if one.good and one.digest == release.digest)
    return next((one for one in same if one.number < release.number), None)
