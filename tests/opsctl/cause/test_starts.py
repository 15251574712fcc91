"""Causes in what a task needs before it starts."""

from dataclasses import replace

from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.task_definitions import LogStream
from tests.opsctl.cause.histories import ids, ranked, rolled, task
from tests.opsctl.cause.test_ranking import STEADY
from tests.opsctl.snapshots import DEFINITIONS, START, stack


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


def test_a_deleted_log_group_of_the_service_itself_keeps_new_ones_from_starting() -> None:
    # `doctor` said that nothing would stop a release; each new task exited 1.
    names = replace(STEADY.names, log_groups={"app": "/web/app"})
    [cause] = ranked(replace(STEADY, names=names, log_groups=(LogGroup("/web/app", False),)))
    assert cause.hinders and cause.sentence.endswith("no new task can start")


def test_the_log_group_is_the_one_that_the_task_names() -> None:
    # `status` named another, which was there again: "/web/stdout does not exist: /web/app does not
    # exist".
    said = ("log group /web/app does not exist: create it, or correct awscloudwatch",)
    gone = replace(rolled(task(code=1), lines={"t1": said}), task_definitions=DEFINITIONS)
    [cause] = [one for one in ranked(gone) if one.id == "log-group-missing"]
    assert cause.sentence.startswith("the log group /web/app does not exist: ")


LOST = (SecretVersion("ssm:/web/token"), SecretVersion("secretsmanager:web", "1", deleted=True))
NEEDING = replace(STEADY.names, task_secrets=("ssm:/web/token", "secretsmanager:web"))


def test_a_secret_that_somebody_deleted_is_told_before_a_task_fails() -> None:
    # "healthy", and `roll-instances` drained an instance whose tasks could start nowhere else.
    gone = replace(STEADY, names=NEEDING, secret_versions=LOST)
    causes = [one for one in ranked(replace(gone, secret_versions=LOST[:1]))]
    assert [(one.id, one.hinders) for one in causes] == [("secret-missing", True)]
    assert causes[0].sentence == (
        "the secret ssm:/web/token does not exist or has no value: a task that stops cannot be "
        "replaced"
    )
    [marked] = ranked(replace(gone, secret_versions=LOST[1:]))
    assert marked.next.endswith("restore-secret --secret-id web")


def test_a_secret_that_no_running_task_needs_is_not_what_is_wrong() -> None:
    gone = replace(STEADY, names=NEEDING, secret_versions=LOST)
    assert not ranked(replace(gone, names=STEADY.names))
    assert "secret-missing" not in ids(replace(gone, service=None))
    assert not ranked(replace(gone, releases=(Release(1, START, secrets={}),)))
