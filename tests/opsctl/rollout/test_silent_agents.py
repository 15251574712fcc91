"""An instance that drains and whose agent is silent, decided from snapshots alone."""

from datetime import timedelta

from opsctl.rollout.instances import InstanceRoll, Machine
from opsctl.rollout.room import TaskSize
from opsctl.snapshot.instances import ContainerInstance, Group, GroupInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import START, deployment, snapshot

NEW = Machine("ami-new", "", "")


def draining(*, elsewhere: int, registered: bool = False) -> Snapshot:
    """Two tasks on `i-old`, whose agent is silent, and `elsewhere` on `i-new`; two are wanted.

    With `registered` the load balancer still has a target on `i-old`.
    """
    tasks = [Task(f"old{n}", "RUNNING", "web:1", "one", "arn:old") for n in range(2)]
    tasks += [Task(f"new{n}", "RUNNING", "web:1", "one", "arn:new") for n in range(elsewhere)]
    old = ContainerInstance("arn:old", "i-old", "DRAINING", connected=False, image="ami-old")
    new = ContainerInstance("arn:new", "i-new", "ACTIVE", connected=True, image="ami-new")
    targets = [Target(f"i-new:{n}", "healthy") for n in range(elsewhere)]
    targets += [Target("i-old:80", "draining")] if registered else []
    members = (GroupInstance("i-old", "a"), GroupInstance("i-new", "b"))
    return snapshot(
        deployment("one", "web:1"),
        targets=tuple(targets),
        tasks=tuple(tasks),
        instances=(old, new),
        group=Group("asg", 0, 2, 2, members),
    )


def step(now: Snapshot) -> str:
    minutes = timedelta(minutes=10)
    roll = InstanceRoll(NEW, 2, START, minutes, minutes, TaskSize(128, 128))
    seen, _ = roll.see(now)
    return seen.step.action


def test_it_stays_while_its_tasks_are_not_served_elsewhere() -> None:
    assert step(draining(elsewhere=0)) == step(draining(elsewhere=1)) == "wait"


def test_it_goes_once_its_tasks_are_served_elsewhere() -> None:
    assert step(draining(elsewhere=2)) == "terminate"


def test_it_stays_while_the_load_balancer_has_a_target_on_it() -> None:
    assert step(draining(elsewhere=2, registered=True)) == "wait"
