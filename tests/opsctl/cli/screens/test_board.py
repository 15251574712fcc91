"""The table of a roll, at every size: what failed and what is new stays on the screen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.cli.screens import board
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import NEW, OLD, START, deployment, snapshot

FAILED = Task("deadbeef01", "STOPPED", NEW, "d2", stop_code="EssentialContainerExited",
              containers=(Container("web", 3),), stopped=START)  # fmt: skip
STARTING = Task("new0000001", "PENDING", NEW, "d2", created=START + timedelta(seconds=40))
SERVING = Task("new0000002", "RUNNING", NEW, "d2", "arn:1", "us-east-1a",
               containers=(Container("web", ports=(32768,)),), created=START)  # fmt: skip
OLD_ONES = tuple(
    Task(f"old{n:07}", "RUNNING", OLD, "d1", "arn:1", "us-east-1a", created=START)
    for n in range(40)
)
NOW = snapshot(
    deployment("d2", NEW, desired=8, running=1, pending=1, state="IN_PROGRESS"),
    deployment("d1", OLD, primary=False, running=40),
    tasks=(*OLD_ONES, SERVING, STARTING, FAILED),
    targets=(Target("i-1:32768", "initial", "Elb.InitialHealthChecking"),),
    seconds=60,
)


@pytest.mark.parametrize(("width", "height"), [(60, 6), (60, 10), (80, 24), (140, 50)])
def test_it_fits_and_keeps_the_worst_and_the_newest(width: int, height: int) -> None:
    rows = board.lines(NOW, {"arn:1": "i-1"}, began=START, width=width, height=height)
    assert len(rows) <= height and max(map(len, rows)) <= width
    assert "deadbeef" in rows[1] and "exited 3" in rows[1]
    assert rows[2].startswith("new00000")
    assert rows[-1].startswith("◐ 1 of 8 of web:2 run, 1 start, 0 healthy · 1 failed")


def test_what_is_left_out_is_counted() -> None:
    rows = board.lines(NOW, {}, began=START, width=80, height=8)
    assert rows[-2] == "…38 more tasks, all running"


def test_many_failed_tasks_do_not_hide_the_new_ones() -> None:
    failed = tuple(replace(FAILED, id=f"dead{n:06}") for n in range(30))
    now = replace(NOW, tasks=(*failed, SERVING, STARTING))
    rows = board.lines(now, {}, began=START, width=80, height=10)
    assert [row[:4] for row in rows[1:5]] == ["dead", "dead", "new0", "new0"]
    assert rows[-2] == "…25 more tasks, 0 running" and rows[-1].endswith("30 failed · 1 m 0 s")


def test_a_task_stands_beside_its_target() -> None:
    rows = board.lines(NOW, {"arn:1": "i-1"}, began=START, width=80, height=50)
    assert "◐ initial  " in next(r for r in rows if "new00000  1a" in r)


def test_before_there_is_a_service_it_says_so() -> None:
    assert board.lines(snapshot(), {}, began=None, width=80, height=10) == ["○ no service yet"]


def test_what_an_earlier_roll_left_is_not_shown_nor_given_the_target_of_its_port() -> None:
    earlier = replace(
        FAILED, id="ancient001", deployment="d0", stopped=START - timedelta(minutes=2)
    )
    here = replace(FAILED, containers=SERVING.containers, instance="arn:1")
    now = replace(NOW, tasks=(earlier, here, SERVING))
    rows = board.lines(now, {"arn:1": "i-1"}, began=START, width=80, height=50)
    assert not [row for row in rows if "ancient0" in row]
    assert [" – " in row for row in rows if "deadbeef" in row] == [True]
