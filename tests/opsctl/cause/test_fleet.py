"""Causes in the container instances and their group."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsctl.snapshot.instances import Activity, ContainerInstance, Group, GroupInstance
from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.snapshot import Look
from opsctl.snapshot.tasks import Task
from tests.opsctl.cause.histories import first, history, ids, later, ranked, task
from tests.opsctl.cause.test_ranking import FULL, LOOK, ROLLED_BACK, STEADY
from tests.opsctl.snapshots import NEW, OLD, START, deployment, service, snapshot, stack


def test_agents_without_connection_explain_the_missing_room() -> None:
    silent = tuple(replace(FULL, id=one, connected=False) for one in ("i-1", "i-2"))
    words = "(service web) was unable to place a task"
    rolling = replace(service(deployment("d2", NEW, running=0, state="IN_PROGRESS")),
                      events=(ServiceEvent("1", words, START),))  # fmt: skip
    now = snapshot(service=rolling)
    assert ids(replace(now, instances=silent))[0] == "agent-disconnected"


AWAY = replace(FULL, id="i-2", connected=False)


def test_an_agent_disconnected_for_a_moment_is_not_a_certain_cause() -> None:
    looks = [
        replace(STEADY, at=later(0), instances=(FULL,), look=LOOK),
        replace(STEADY, at=later(20), instances=(FULL, AWAY), look=LOOK),
        replace(STEADY, at=later(30), instances=(FULL, AWAY), look=LOOK),
        replace(STEADY, at=later(300), instances=(FULL, AWAY), look=LOOK),
    ]
    causes = [[one for one in ranked(*looks[:n]) if "agent" in one.id] for n in (1, 2, 3, 4)]
    sure = [[(one.confidence, one.hinders) for one in ones] for ones in causes]
    assert sure == [[], [], [("likely", True)], [("certain", True)]]


@pytest.mark.parametrize("instances", [(FULL, AWAY), (AWAY,)])
def test_one_look_cannot_tell_a_lost_agent_from_one_that_reconnects(
    instances: tuple[ContainerInstance, ...],
) -> None:
    # `why` named an agent that was back a second later, before the true cause.
    now = replace(STEADY, instances=instances, look=LOOK)
    assert not ranked(now)
    every = replace(now, instances=(replace(AWAY, id="i-1"), AWAY))
    assert ranked(every)[0].confidence == "certain"


def test_an_instance_that_was_just_launched_counts_as_starting() -> None:
    launched = Activity("a", "Successful", "Launching a new EC2 instance: i-2", "", START)
    group = Group("g", desired=2, activities=(launched,),
                  instances=(GroupInstance("i-1"), GroupInstance("i-2")))  # fmt: skip
    joined = ContainerInstance("arn:1", "i-1", "ACTIVE", True, 4096, 8000)
    both = Look(frozenset({"group", "instances"}))
    young = replace(STEADY, group=group, instances=(joined,), look=both, at=later(30))
    [cause] = ranked(young)
    assert (cause.id, cause.confidence) == ("instance-never-joined", "possible")
    old = replace(young, at=START + timedelta(minutes=20))
    assert ranked(old)[0].confidence == "likely"


def test_tasks_lost_with_their_instance_are_explained_by_an_empty_cluster() -> None:
    state = stack("ecs", "UPDATE_COMPLETE")
    gone = task(stop="", reason="Host EC2 (instance i-1) terminated", deployment="d1")
    look = Look(frozenset({"instances", "service"}))
    now = replace(STEADY, stacks={"ecs": state}, tasks=(gone,), look=look)
    assert ids(now)[:2] == ["no-instance", "instance-lost"]


def test_all_tasks_in_one_zone_are_noted_while_another_zone_has_instances() -> None:
    running = tuple(Task(f"t{n}", "RUNNING", OLD, "d1", zone="us-east-1a") for n in range(2))
    instances = tuple(replace(FULL, id=f"i-{zone}", zone=f"us-east-1{zone}") for zone in "ab")
    now = replace(STEADY, tasks=running, instances=instances)
    [cause] = ranked(now)
    assert (cause.id, cause.hinders) == ("zones-uneven", False)
    assert cause.sentence == "all 2 tasks run in us-east-1a, and none in us-east-1b"
    # A roll only moved them all to the other zone.
    assert cause.next == "to spread them: opsctl ecs scale 3, then: opsctl ecs scale 2"
    assert ids(replace(now, instances=instances[:1])) == []
    spread = (running[0], replace(running[1], zone="us-east-1b"))
    assert ids(replace(now, tasks=spread)) == []


def test_the_console_of_an_instance_that_never_joined_is_quoted_whose_group_is_gone() -> None:
    group = Group("g", desired=1, instances=(GroupInstance("i-12345678"),))
    both = Look(frozenset({"group", "instances"}))
    during = replace(STEADY, group=group, look=both)
    console = {"i-12345678": ("booted", "curl: (6) Could not resolve host")}
    after = replace(STEADY, service=None, start_logs=console, at=later(30))
    seen = history(during, after, failures=(ROLLED_BACK,))

    assert seen.never_joined == ("i-12345678",)
    top = first(during, after, failures=(ROLLED_BACK,))
    assert top.id == "instance-never-joined"
    assert top.sentence.endswith("console last said: curl: (6) Could not resolve host")
    assert top.next == "correct what its start needs, then run: opsctl ecs up"
    # The log groups are rolled back, too; while the group is there, it can be replaced.
    silent = replace(after, start_logs={}, stacks={"ecs": stack("ecs", "ROLLBACK_COMPLETE")})
    top = first(during, silent, failures=(ROLLED_BACK,))
    assert (top.next or "").endswith("get-console-output --output text --instance-id i-12345678")
    top = first(replace(during, start_logs=console))
    assert (top.next or "").endswith("then replace it: opsctl ecs roll-instances")


def test_a_group_that_somebody_deleted_is_why_the_cluster_is_empty() -> None:
    # The hint was `opsctl ecs up`, which changes nothing: the template is the same.
    state = stack("ecs", "UPDATE_COMPLETE")
    look = Look(frozenset({"service", "instances", "stacks", "group"}))
    [cause] = ranked(replace(STEADY, stacks={"ecs": state}, look=look, group=Group("asg")))
    assert cause.id == "no-instance" and "`asg` is not there" in cause.sentence
    assert cause.next == "opsctl ecs up --revert-drift"


def test_a_launch_that_was_refused_is_over_once_the_group_is_whole() -> None:
    # Auto Scaling keeps its activities for six weeks: `status --check` was degraded as long.
    refused = Activity("a", "Failed", "Launching a new EC2 instance", "no capacity", later(-9999))
    members = tuple(GroupInstance(f"i-{n}", lifecycle="InService") for n in range(2))
    group = Group("asg", 0, 3, 2, members, activities=(refused,))
    [over] = ranked(replace(STEADY, group=group))
    assert (over.id, over.over) == ("asg-cannot-launch", True)
    [short] = ranked(replace(STEADY, group=replace(group, desired=3)))
    assert not short.over and short.confidence == "certain"


def test_an_instance_that_somebody_set_to_draining_is_named_with_the_command_that_undoes_it() -> (
    None
):
    drains = replace(FULL, id="i-2", arn="arn-2", status="DRAINING")
    group = Group("asg", 0, 2, 2, (GroupInstance("i-1"), GroupInstance("i-2")))
    now = replace(STEADY, instances=(FULL, drains), group=group)
    [top] = ranked(now)
    assert (top.id, top.hinders) == ("instances-draining", False)
    assert top.next.endswith("--status ACTIVE --container-instances arn-2")
    # Neither a roll nor Auto Scaling has done that.
    rolls = replace(group, tags={"opsctl:roll": "2"})
    leaves = replace(
        group, instances=(GroupInstance("i-1"), GroupInstance("i-2", "", "Terminating:Wait"))
    )
    for other in (rolls, leaves):
        assert not ids(replace(now, group=other))
