"""Histories made by hand: tasks that failed in a given way, and what was around them."""

from datetime import datetime, timedelta
from typing import Any

from opsctl.cause import rank
from opsctl.cause.cause import Cause
from opsctl.cause.history import Failure, History
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import NEW, OLD, START, deployment, snapshot

ROLLING = (
    deployment("d2", NEW, running=0, pending=1, state="IN_PROGRESS"),
    deployment("d1", OLD, primary=False),
)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def task(
    id: str = "t1",
    *,
    code: int | None = None,
    reason: str = "",
    own: str = "",
    stop: str = "",
    started: bool = True,
    deployment: str = "d2",
    definition: str = NEW,
    containers: tuple[Container, ...] = (),
) -> Task:
    """One that stopped; with a code it ended by itself, without one it never started."""
    stop_code = stop or ("EssentialContainerExited" if code is not None else "TaskFailedToStart")
    return Task(
        id,
        "STOPPED",
        definition,
        deployment,
        stop_code=stop_code,
        reason=reason,
        containers=containers or (Container("web", code, own),),
        started=START if started and code is not None else None,
        stopped=later(10),
        created=later(1),
    )


def rolled(*tasks: Task, lines: dict[str, tuple[str, ...]] | None = None, **parts: Any) -> Snapshot:
    """A deployment under way, whose tasks failed so."""
    return snapshot(*ROLLING, tasks=tasks, lines=lines or {}, seconds=20, **parts)


def history(*snapshots: Snapshot, failures: tuple[Failure, ...] = (), **more: Any) -> History:
    made = History.of(snapshots, **more)
    for failure in failures:
        made = made.met(failure)
    return made


def ranked(*snapshots: Snapshot, **more: Any) -> tuple[Cause, ...]:
    return rank.rank(history(*snapshots, **more))


def first(*snapshots: Snapshot, **more: Any) -> Cause:
    causes = ranked(*snapshots, **more)
    assert causes, "nothing was found"
    return causes[0]


def ids(*snapshots: Snapshot, **more: Any) -> list[str]:
    return [cause.id for cause in ranked(*snapshots, **more)]
