"""Causes in what a task needs before it starts."""

from dataclasses import replace

from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.task_definitions import LogStream
from tests.opsctl.cause.histories import ranked
from tests.opsctl.cause.test_ranking import STEADY
from tests.opsctl.snapshots import DEFINITIONS, stack


def test_a_deleted_log_group_that_no_task_needs_loses_lines_only() -> None:
    made = stack("ecs", "UPDATE_COMPLETE", outputs={"AppLogGroupName": "/old/app"})
    [cause] = ranked(
        replace(STEADY, stacks={"ecs": made}, log_groups=(LogGroup("/old/app", False),))
    )
    assert (cause.id, cause.hinders) == ("log-group-missing", False)
    assert cause.sentence == (
        "the log group /old/app does not exist: somebody deleted it, and lines are lost"
    )
    assert cause.next == "to make it again: opsctl ecs up --revert-drift"


def test_a_deleted_log_group_of_the_tasks_keeps_new_ones_from_starting() -> None:
    logs = (LogStream("/web/stdout", "x", "web"),)
    definition = replace(DEFINITIONS[0], logs=logs)
    [cause] = ranked(
        replace(
            STEADY, task_definitions=(definition,), log_groups=(LogGroup("/web/stdout", False),)
        )
    )
    assert cause.hinders and cause.sentence.endswith("no new task can start")
