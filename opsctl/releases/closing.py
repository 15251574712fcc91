"""How a release ended whose command was killed: judged from what is live. Pure, but for the write.

Whoever looks next closes it, so that the history is true without anybody's laptop.
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

# What it takes to judge.
LOOK = Look(
    frozenset({"stacks", "locks", "service", "task_definitions", "targets", "releases"}), ("ecs",)
)
# Why the end of a release was judged, and not written by its own command.
LEFT = "the command that made it ended before its outcome was known"


def close_open(
    clients: "Clients", now: Snapshot, *, why: str = LEFT
) -> Procedure[tuple[Release, ...]]:
    """The releases of this snapshot, with those closed that a command left open.

    `why` says how it came that somebody else has to judge.
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
    """Each release with the next one that says what it saw."""
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
    """None for one that is closed, that goes on, or that cannot be judged from this snapshot.

    `gone` says whether a process has certainly ended.
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
    """From what the next release has seen when it began."""
    if later.before == release.image and later.before_deployment != release.before_deployment:
        return Outcome("deployed", f"{why}; release {later.number} has seen it run")
    if later.before == release.before:
        return Outcome("rolled-back", f"{why}; release {later.number} has seen the old image run")
    return Outcome("superseded", f"{why}; release {later.number} came after it")


def _goes_on(release: Release, now: Snapshot, gone: Callable[[str], bool]) -> bool:
    """Its command lives, or what it began has not ended yet."""
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
    """Whether anything happened to the service or its stack since."""
    state = now.stack("ecs")
    if primary.id != release.before_deployment:
        return True
    return state is not None and _after(state.changed, release.begun)


def _after(time: datetime | None, begun: datetime) -> bool:
    return time is not None and time >= begun


def running(now: Snapshot, releases: Sequence[Release]) -> Release | None:
    """The release that runs: the newest one whose image the primary deployment holds.

    A good one before a bad one: an image that was rolled back may have been released again.
    """
    primary = now.primary
    if primary is None:
        return None
    same = [one for one in reversed(releases) if one.image and now.runs(one.image, primary)]
    rolling = [one for one in same if one.running]
    return next(iter([*rolling, *(one for one in same if one.good), *same]), None)


def original(release: Release, releases: Sequence[Release]) -> Release:
    """The release that first brought the image here; the release itself otherwise.

    A rollback, a restart, `--force` and `ecs up` roll an image that an earlier one has brought.
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
