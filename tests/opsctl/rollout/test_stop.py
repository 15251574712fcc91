from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber

from opsctl.rollout import stop
from opsctl.rollout.room import Requirement, TaskSize
from opsctl.rollout.verdict import Goal
from opsctl.rollout.watch import Watch
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task
from tests.opsctl.rollout.simulated import Simulated
from tests.opsctl.snapshots import NEW, NEW_IMAGE, OLD, START, deployment, service, snapshot

SIZE = TaskSize(512, 400)
TASKS = tuple(
    Task(f"t{n}", "RUNNING", OLD if n < 4 else NEW, "d1" if n < 4 else "d2") for n in range(6)
)
ROLLING = snapshot(
    tasks=TASKS,
    states="healthy " * 6,
    service=service(
        deployment("d2", NEW, running=2, state="IN_PROGRESS"),
        deployment("d1", OLD, primary=False, running=4),
        desired=4,
    ),
)


def watching(now: Snapshot, ours: str = "d2") -> Watch:
    return Watch(Goal(NEW_IMAGE, before="d1", ours=ours), now, START)


def test_nothing_is_stopped_before_the_new_deployment_began() -> None:
    assert (
        stop.chosen(watching(ROLLING, ours=""), ROLLING, Requirement(4, 0, 200, SIZE, SIZE)) == ()
    )


def test_a_wave_stops_old_tasks_down_to_the_minimum() -> None:
    ecs = boto3.client(
        "ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(ecs) as stub:
        for task in ("t0", "t1", "t2"):
            expected = {"cluster": "web", "task": task, "reason": stop._REASON}
            stub.add_response("stop_task", {}, expected)
        need = Requirement(4, 75, 200, SIZE, SIZE)
        [wave] = stop.wave(ecs, watching(ROLLING), ROLLING, need)
        stub.assert_no_pending_responses()
    ecs.close()
    assert (wave.tasks, wave.text) == (("t0", "t1", "t2"), "stopping 3 old tasks")


def test_no_wave_follows_while_stopped_tasks_still_run() -> None:
    """ECS reports a stopped task as RUNNING for a while, and its target as healthy."""
    need = Requirement(4, 75, 200, SIZE, SIZE)
    first = stop.chosen(watching(ROLLING), ROLLING, need)
    asked = [replace(one, desired="STOPPED") for one in TASKS if one.id in first]
    rest = [one for one in TASKS if one.id not in first]
    still = replace(ROLLING, tasks=(*rest, *asked))
    assert len(first) == 3 and stop.chosen(watching(still), still, need) == ()
    assert [one.in_words for one in asked] == ["stopping"] * 3


def test_waves_never_leave_less_than_the_minimum_in_the_simulation() -> None:
    world = Simulated(1, minimum=50)
    need, goal = Requirement(8, 50, 200, SIZE, SIZE), world.goal()
    world.roll()
    for now in world.looks(every=0.2, until=600.0):
        goal = goal.seen(now)
        world.stop(stop.chosen(watching(now, goal.ours), now, need))
        assert min(len(now.running), now.healthy) >= 4
    assert world.deployed and world.waves


@pytest.mark.parametrize(
    ("last", "running", "allowed"),
    [
        ("healthy", 6, 2),
        ("initial", 6, 0),
        ("unhealthy", 6, 1),
        ("draining", 6, 1),
        ("healthy", 4, 0),
    ],
)
def test_only_what_serves_above_the_minimum_may_stop(last: str, running: int, allowed: int) -> None:
    states = snapshot(states="healthy " * 5 + last).targets
    now = replace(ROLLING, targets=states, tasks=TASKS[:running])
    assert stop.allowed(now, Requirement(4, 100, 200, SIZE, SIZE)) == allowed
