"""Several things wrong at once: what explains the others comes first, what is over comes last."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.cause.history import Failure, Note
from opsctl.cli.screens.status import health
from opsctl.snapshot.instances import Activity, ContainerInstance, Group, GroupInstance
from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.snapshot import Look
from opsctl.snapshot.tasks import Task
from tests.opsctl.cause.histories import ROLLING, first, history, ids, later, ranked, rolled, task
from tests.opsctl.snapshots import NEW, OLD, START, deployment, event, service, snapshot, stack

STEADY = snapshot(deployment("d1", OLD))
FULL = ContainerInstance("arn:1", "i-1", "ACTIVE", True, cpu=100, memory=4000, whole_cpu=4096)
GROUP = "AWS::AutoScaling::AutoScalingGroup"
LOOK = Look(frozenset({"instances"}))
UNDONE = stack("ecs", "UPDATE_ROLLBACK_COMPLETE")
ROLLED_BACK = Failure("rolled-back", "the deployment failed")


@pytest.mark.parametrize(
    ("kind", "status", "command"),
    [
        ("db", "CREATE_IN_PROGRESS", "opsctl db up"),
        ("db", "DELETE_IN_PROGRESS", "opsctl db down"),
        ("ecr", "UPDATE_IN_PROGRESS", "opsctl ecs up"),
        ("ecs", "ROLLBACK_IN_PROGRESS", "opsctl ecs up"),
        ("ecs", "UPDATE_IN_PROGRESS", "opsctl update-tasks"),
    ],
)
def test_an_operation_that_runs_is_joined_by_a_command_of_its_stack(
    kind: Any, status: str, command: str
) -> None:
    causes = {one.id: one for one in ranked(snapshot(stacks={kind: stack(kind, status)}))}
    running = causes["someone-else-is-deploying"]
    assert running.next == f"to join it and follow it to its end: {command}"


def test_nothing_wrong_is_no_cause() -> None:
    assert ranked(STEADY) == ()


def test_the_breaker_is_no_cause_when_failed_tasks_explain_it() -> None:
    tripped = ServiceDeployment("x/2", "STOPPED", breaker="TRIGGERED", failures=4, threshold=4)
    assert ids(rolled(task(code=1), service_deployments=(tripped,))) == ["container-exited"]


def test_without_any_task_left_the_breaker_is_the_cause() -> None:
    tripped = ServiceDeployment("x/2", "ROLLBACK_SUCCESSFUL", breaker="TRIGGERED")
    now = replace(STEADY, service_deployments=(tripped,))
    assert ids(now, failures=(ROLLED_BACK,)) == ["breaker-tripped"]


@pytest.mark.parametrize(
    "stopped",
    [
        ServiceDeployment("x/2", "ROLLBACK_SUCCESSFUL", finished=START, breaker="TRIGGERED"),
        ServiceDeployment("x/2", "ROLLBACK_SUCCESSFUL", finished=START, alarms=("slow",)),
    ],
)
def test_a_deployment_that_was_stopped_while_the_old_tasks_serve_leaves_the_service_healthy(
    stopped: ServiceDeployment,
) -> None:
    now = replace(STEADY, service_deployments=(stopped,), stacks={"ecs": UNDONE})
    causes = ranked(now)
    assert len(causes) == 1 and causes[0].deployment and not causes[0].over
    assert health(now, causes)[0] == "healthy"


def test_causes_of_an_earlier_deployment_do_not_count_for_the_current_one() -> None:
    earlier = ServiceDeployment("x/1", "ROLLBACK_SUCCESSFUL", created=later(-900),
                                breaker="TRIGGERED", alarms=("cpu",))  # fmt: skip
    running = ServiceDeployment("x/2", "IN_PROGRESS", created=later(0))
    said = ServiceEvent("e1", "deployment failed: alarm detected.", later(-800))
    under_way = replace(service(*ROLLING), events=(said,))
    now = rolled(service=under_way, service_deployments=(running, earlier))
    assert ids(now) == ["deployment-running"]
    # Without a newer one it is the last deployment that failed, until a release came through.
    failed = replace(now, service_deployments=(earlier,))
    assert ids(failed)[0] == "alarm-rolled-back"
    whole = replace(STEADY, service_deployments=(earlier,))
    assert [(one.id, one.over) for one in ranked(whole)] == [
        ("alarm-rolled-back", True), ("breaker-tripped", True),
    ]  # fmt: skip


def test_no_room_comes_before_the_slow_deployment() -> None:
    words = "(service web) was unable to place a task. has insufficient CPU units available"
    rolling = deployment("d2", NEW, running=0, state="IN_PROGRESS")
    now = snapshot(service=replace(service(rolling), events=(ServiceEvent("1", words, START),)))
    now = replace(now, instances=(FULL,))
    causes = ranked(now)
    assert [cause.id for cause in causes] == ["no-room"]
    assert "not enough CPU" in causes[0].sentence and "i-1" in causes[0].evidence[1].source


def test_between_two_waves_of_a_rollout_no_cause_is_certain() -> None:
    rolling = deployment("d2", NEW, running=1, state="IN_PROGRESS")
    now = replace(snapshot(rolling, deployment("d1", OLD, primary=False)), instances=(FULL,))
    assert [(one.id, one.confidence) for one in ranked(now)] == [
        ("no-room", "possible"), ("deployment-running", "possible"),
    ]  # fmt: skip


def test_instances_that_cannot_be_launched_explain_the_missing_signal() -> None:
    reason = "Failed to receive 2 resource signal(s) within the specified duration"
    missing = event(
        "e", "CREATE_FAILED", reason, of="Group", type="AWS::AutoScaling::AutoScalingGroup"
    )
    refused = Activity(
        "a", "Failed", "Launching a new EC2 instance", "VcpuLimitExceeded: quota", START
    )
    now = snapshot(failures=(missing,), group=Group("g", desired=2, activities=(refused,)))
    assert ids(now)[:2] == ["asg-cannot-launch", "signal-missing"]


def test_instances_that_run_and_never_joined_explain_it_too() -> None:
    reason = "Failed to receive 2 resource signal(s) within the specified duration"
    missing = event(
        "e", "CREATE_FAILED", reason, of="Group", type="AWS::AutoScaling::AutoScalingGroup"
    )
    group = Group("g", desired=1, instances=(GroupInstance("i-1", lifecycle="InService"),))
    now = snapshot(failures=(missing,), group=group, seconds=900)
    now = replace(now, look=Look(frozenset({"instances", "group", "failures"})))
    assert ids(now, failures=(ROLLED_BACK,))[:2] == ["instance-never-joined", "signal-missing"]


def test_instances_that_signalled_failure_do_not_count_as_starting() -> None:
    signal = event("e", "CREATE_FAILED", "Received 1 FAILURE signal(s) out of 2", of="Group",
                 type="AWS::AutoScaling::AutoScalingGroup")  # fmt: skip
    group = Group("g", desired=1, instances=(GroupInstance("i-1", lifecycle="InService"),))
    state = stack("ecs", "ROLLBACK_IN_PROGRESS")
    now = snapshot(failures=(signal,), group=group, seconds=60, stacks={"ecs": state})
    now = replace(now, look=Look(frozenset({"instances", "group", "failures", "stacks"})))
    assert ids(now)[:2] == ["instance-never-joined", "signal-missing"]


def test_the_newest_deployment_comes_before_an_older_one() -> None:
    older = task("t1", code=3, deployment="d0")
    newer = task("t2", own="CannotStartContainerError: port is already allocated")
    deployments = {
        "d0": replace(deployment("d0", OLD, primary=False), created=START),
        "d2": replace(deployment("d2", NEW, running=0, state="IN_PROGRESS"), created=later(60)),
    }
    now = snapshot(*deployments.values(), tasks=(older, newer))
    assert ids(now)[:2] == ["port-taken", "container-exited"]


def test_the_failure_of_an_earlier_release_is_over_for_a_later_command() -> None:
    earlier = replace(task("t9", code=7, deployment="d0"), stopped=later(-60))
    looks = rolled(task(code=3), earlier, lines={"t1": ("own",), "t9": ("old",)})
    failed = (Failure("rolled-back", "the deployment failed"),)
    causes = ranked(looks, failures=failed, began=START)
    assert [(one.count, one.over) for one in causes if one.id == "container-exited"] == [(1, False)]
    still = ranked(looks, failures=failed, began=later(-90))
    assert len(still[0].evidence) == 2, "it may be of the same command"


def test_the_failure_of_an_earlier_release_is_over_while_a_newer_one_is_rolled() -> None:
    earlier = replace(task("t9", code=7, deployment="d0", definition=OLD), stopped=later(-60))
    under_way = service(replace(ROLLING[0], created=START), ROLLING[1])
    causes = ranked(rolled(earlier, service=under_way))
    assert [(one.id, one.over) for one in causes][-1] == ("container-exited", True)
    # A rollback to an older revision begins later, too, and that failure is what it is for.
    again = replace(deployment("d3", OLD, running=0, state="IN_PROGRESS"), created=START)
    assert not first(snapshot(again, tasks=(replace(task(code=7), stopped=later(-60)),))).over


def test_what_is_wrong_now_comes_before_a_release_that_was_rolled_back() -> None:
    died = replace(STEADY, tasks=(task(code=7),), look=Look(frozenset({"cache", "stacks"})),
                   stacks={"db": stack("db", "CREATE_COMPLETE"),
                           "ecs": stack("ecs", "UPDATE_ROLLBACK_COMPLETE")})  # fmt: skip
    assert ids(died) == ["cache-gone", "container-exited"]
    newer = {**died.stacks, "ecs": stack("ecs", "UPDATE_COMPLETE", changed=later(60))}
    assert [one.over for one in ranked(replace(died, stacks=newer))] == [False, True]


def test_a_single_failed_task_is_over_when_the_service_is_steady() -> None:
    died = task("t1", code=1, deployment="d1", definition=OLD)
    [cause] = ranked(replace(STEADY, tasks=(died,)))
    assert cause.over


def test_a_release_that_was_rolled_back_is_not_over_while_nothing_newer_came() -> None:
    back = stack("ecs", "UPDATE_ROLLBACK_COMPLETE")
    now = replace(STEADY, tasks=(task("t1", code=1),), stacks={"ecs": back})
    assert [cause.over for cause in ranked(now)][:1] == [False]


def test_the_error_of_a_command_names_its_cause_before_the_live_system_does() -> None:
    error = Failure("OpsError", "cannot start: not one task fits", cause="no-room", hint="x")
    top = first(STEADY, failures=(error,))
    assert (top.id, top.sentence, top.next) == ("no-room", error.message, "x")


def test_what_ecs_said_before_a_command_began_is_not_why_it_failed() -> None:
    # `db up` failed at a snapshot, and a health check of minutes ago was named.
    words = (
        "(service web) (port 80) is unhealthy in (target-group g) due to (reason Request timed out)"
    )
    whole = replace(service(deployment("d1", OLD)), events=(ServiceEvent("1", words, later(10)),))
    refused = event("e1", "CREATE_FAILED", "no such snapshot", of="ReplicationGroup")
    now = snapshot(service=whole, failures=(refused,), seconds=90)
    failed = Failure("rolled-back", "`web-db` (UPDATE_ROLLBACK_COMPLETE)")
    causes = ids(now, failures=(failed,), command="db up", began=later(60))
    assert causes[0] == "resource-failed" and "target-unhealthy" not in causes


def test_a_count_by_hand_and_another_task_definition_are_seen_beside_the_stack() -> None:
    state = stack("ecs", "UPDATE_COMPLETE", parameters={"DesiredCount": "8"},
                  outputs={"TaskDefinitionArn": NEW})  # fmt: skip
    zero = snapshot(service=service(deployment("d1", OLD, desired=0, running=0), desired=0))
    assert ids(replace(zero, stacks={"ecs": state}))[:2] == ["scaled-by-hand", "changed-by-hand"]


def test_a_count_by_hand_that_a_change_took_over_into_the_stack_is_over() -> None:
    asks = [stack("ecs", "UPDATE_COMPLETE", parameters={"DesiredCount": n}) for n in ("8", "6")]
    six = snapshot(service=service(deployment("d1", OLD, desired=6, running=6), desired=6))
    before, after = (replace(six, stacks={"ecs": state}) for state in asks)
    top = first(before)
    assert (top.id, top.over) == ("scaled-by-hand", False)
    assert top.next == "to set it back: opsctl ecs scale 8"
    over = [(one.over, one.next) for one in ranked(before, after) if one.id == "scaled-by-hand"]
    assert over == [(True, "")]


def test_no_hint_stops_every_task_when_the_stack_asks_for_none() -> None:
    six = snapshot(service=service(deployment("d1", OLD, desired=6, running=6), desired=6))
    none = stack("ecs", "UPDATE_COMPLETE", parameters={"DesiredCount": "0"})
    top = first(replace(six, stacks={"ecs": none}))
    assert (top.id, top.next) == ("scaled-by-hand", "to keep it: opsctl ecs up")


def test_a_deployment_by_another_operator_is_distinguished_from_our_own() -> None:
    running = stack("ecs", "UPDATE_IN_PROGRESS")
    now = replace(STEADY, stacks={"ecs": running})
    assert ids(now) == ["someone-else-is-deploying"]
    assert ids(now, command="update-tasks") == []
    joined = history(now, command="update-tasks").noted(Note("Joining", {"text": "joining"}))
    from opsctl.cause import rank

    assert [one.id for one in rank.rank(joined)] == ["someone-else-is-deploying"]


def test_a_newer_deployment_that_took_over_is_no_rollback() -> None:
    looks = [
        snapshot(deployment("d1", OLD)),
        snapshot(deployment("d2", NEW, running=1, state="IN_PROGRESS")),
        snapshot(deployment("d3", NEW, running=1, state="IN_PROGRESS")),
    ]
    assert "superseded" in ids(*looks)
    looks[2] = snapshot(deployment("d1", OLD))
    assert "superseded" not in ids(*looks)


def test_a_restart_that_was_rolled_back_was_not_superseded_by_what_ran_before() -> None:
    before = replace(deployment("d1", OLD), created=later(0))
    restart = replace(deployment("d2", OLD, running=1, state="IN_PROGRESS"), created=later(60))
    assert "superseded" not in ids(snapshot(before), snapshot(restart), snapshot(before))


def test_tasks_that_start_between_two_reads_are_no_lack_of_room() -> None:
    # The parts of a snapshot are read side by side: the room of new tasks may be gone already.
    rolling = deployment("d2", NEW, running=0, state="IN_PROGRESS")
    now = snapshot(deployment("d1", OLD, primary=False), rolling)
    old = tuple(Task(f"old{n}", "RUNNING", OLD, "d1") for n in range(2))
    new = tuple(Task(f"new{n}", "PENDING", NEW, "d2") for n in range(2))
    later_read = replace(FULL, running=2, pending=2)
    assert "no-room" not in ids(replace(now, tasks=(*old, *new), instances=(later_read,)))
    assert "no-room" not in ids(replace(now, tasks=old, instances=(later_read,)))
    assert "no-room" in ids(replace(now, tasks=old, instances=(replace(FULL, running=2),)))


def test_a_command_that_was_overtaken_says_so_first_and_then_by_what() -> None:
    state = stack("ecs", "UPDATE_COMPLETE", outputs={"TaskDefinitionArn": NEW})
    foreign = replace(snapshot(deployment("d3", OLD)), stacks={"ecs": state})
    assert ids(foreign)[0] == "changed-by-hand"
    assert ids(foreign, failures=(Failure("superseded", "superseded: by web:1"),))[:2] == [
        "superseded",
        "changed-by-hand",
    ]
    words = "(service web) was unable to place a task"
    newer = replace(service(deployment("d2", NEW, running=0, state="IN_PROGRESS")),
                    events=(ServiceEvent("1", words, START),))  # fmt: skip
    full = replace(snapshot(service=newer), instances=(FULL,))
    assert ids(full)[0] == "no-room"
    assert ids(full, failures=(Failure("superseded", "superseded: by web:2"),))[0] == "superseded"


def test_a_cache_that_is_gone_explains_that_the_tasks_cannot_reach_it() -> None:
    stacks = {"db": stack("db", "CREATE_COMPLETE")}
    gone = rolled(task(code=1), lines={"t1": ("redis x:6379 cannot be reached: refused",)},
                  stacks=stacks, look=Look(frozenset({"cache", "stacks"})))  # fmt: skip
    assert ids(gone, failures=(ROLLED_BACK,))[:2] == ["cache-gone", "redis-unreachable"]


_ANYTHING = st.text(max_size=60) | st.sampled_from(
    ["\x1b[2Jgone", "two\nlines", "password=hunter2", "rediss://u:hunter2@cache:6379", "x" * 3000]
)


def test_what_a_source_says_twice_is_shown_once_with_its_newest_time() -> None:
    tries = [
        Activity(f"a{n}", "Failed", "Launching a new EC2 instance", "no capacity", later(n))
        for n in range(2)
    ]
    [cause] = ranked(snapshot(group=Group("asg", 0, 2, 2, activities=tuple(tries))))
    assert [(one.quote, one.time) for one in cause.evidence] == [("no capacity", later(1))]


@settings(max_examples=40, deadline=None)
@given(reason=_ANYTHING, line=_ANYTHING, message=_ANYTHING, code=st.none() | st.integers(0, 255))
def test_a_cause_is_one_harmless_line_whatever_somebody_wrote(
    reason: str, line: str, message: str, code: int | None
) -> None:
    failed = task(code=code, reason=reason, own=message)
    now = rolled(failed, lines={"t1": (line,)}, recent_lines={"t2": (f"redis refused {line}",)})
    for cause in ranked(now, failures=(Failure("OpsError", message), Failure("AwsError", reason))):
        for text in (cause.sentence, *(one.quote for one in cause.evidence)):
            assert text.isprintable() and len(text) <= 600 and "hunter2" not in text
