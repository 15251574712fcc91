"""Causes in deployments and in what they were made of."""

from dataclasses import replace

from opsctl.snapshot.snapshot import Kind, Look
from opsctl.snapshot.stacks import StackState
from tests.opsctl.cause.histories import ranked
from tests.opsctl.cause.test_ranking import STEADY
from tests.opsctl.snapshots import NEW, OLD, deployment, event, snapshot, stack

OWN: dict[Kind, StackState] = {
    "ecs": stack("ecs", "UPDATE_COMPLETE", outputs={"TaskDefinitionArn": OLD})
}
LOOK = Look(frozenset({"stacks", "service", "deregistered"}))


def test_a_deregistered_task_definition_is_told_while_its_tasks_run_on() -> None:
    gone = replace(STEADY, stacks=OWN, look=LOOK, deregistered="web:1")
    [cause] = ranked(gone)
    assert (cause.id, cause.hinders) == ("task-definition-deregistered", False)
    assert cause.next == "to make it anew: opsctl ecs up"
    assert not ranked(replace(gone, deregistered=""))


def test_a_stack_that_could_not_go_back_to_it_says_why() -> None:
    failed = event("e1", "UPDATE_FAILED", "TaskDefinition is inactive", of="Service")
    gone = replace(STEADY, stacks=OWN, look=LOOK, deregistered="web:1", failures=(failed,))
    first = ranked(gone)[0]
    assert (first.id, first.hinders) == ("task-definition-deregistered", True)
    assert "TaskDefinition is inactive" in first.evidence[-1].quote
    later = ranked(gone, replace(gone, failures=(), deregistered=""))
    assert [one.over for one in later if one.id == first.id] == [True]


def test_what_runs_instead_of_a_deregistered_one_is_repaired_by_ecs_up() -> None:
    # `update-tasks` would ask ECS for the deregistered one.
    foreign = replace(snapshot(deployment("d9", NEW)), stacks=OWN, look=LOOK, deregistered="web:1")
    nexts = {one.id: one.next for one in ranked(foreign)}
    assert nexts["changed-by-hand"] == "to repair it: opsctl ecs up"
    kept = {one.id: one.next for one in ranked(replace(foreign, deregistered=""))}
    assert kept["changed-by-hand"] == "to repair it: opsctl update-tasks"


def test_how_the_next_deployment_rolls_is_told_when_somebody_changed_it() -> None:
    # 0 to 100 percent and no breaker: `restart` stopped every task at once, and said "deployed".
    wanted = "100 to 200 percent of the tasks, a breaker with rollback"
    state = stack("ecs", "UPDATE_COMPLETE", outputs={"ConfiguredDeployment": wanted})
    assert STEADY.service is not None
    as_asked = replace(STEADY.service, breaker=True, rolls_back=True)
    now = replace(STEADY, stacks={"ecs": state}, service=as_asked)
    assert not ranked(now)
    changed = replace(as_asked, minimum_percent=0, maximum_percent=100, breaker=False)
    [cause] = ranked(replace(now, service=changed))
    assert (cause.id, cause.hinders) == ("deployment-settings-changed", False)
    assert "keeps 0 to 100 percent of the tasks, no breaker, and its stack asks" in cause.sentence
