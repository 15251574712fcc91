"""An operation is judged by its own events, and by what it should have come to."""

import pytest

from opsctl.procedure import Notice, follow
from opsctl.snapshot.instances import Activity, Group, GroupInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackEvent
from opsctl.stacks.operation import Fleet, Operation
from tests.opsctl.snapshots import Driven, event, happened, stack

CREATING = Operation("web-db", "arn:web-db", "CREATE_COMPLETE", "e0")
GROUP = "AWS::AutoScaling::AutoScalingGroup"


def followed(*snapshots: Snapshot, operation: Operation = CREATING) -> Operation:
    ended: Operation = Driven(follow(operation, subject="x"), snapshots).result
    return ended


def test_each_event_is_passed_on_once_and_the_next_look_begins_after_it() -> None:
    driven = Driven(
        follow(CREATING, subject="x"),
        [
            happened(event("e1", "CREATE_IN_PROGRESS"), event("e2", "CREATE_COMPLETE", of="A")),
            happened(),
            happened(event("e3", "CREATE_COMPLETE")),
        ],
    )
    assert [one.id for one in driven.of(StackEvent)] == ["e1", "e2", "e3"]
    assert [look.after for look in driven.looks] == ["e0", "e2", "e2"]
    assert driven.result.outcome.kind == "done"


def test_looks_are_quick_while_things_move_and_gentle_while_they_do_not() -> None:
    driven = Driven(
        follow(CREATING, subject="x"),
        [
            *(happened(seconds=second) for second in range(5)),
            *(happened(seconds=minutes * 60) for minutes in range(2, 20)),
            happened(event("e1", "CREATE_COMPLETE"), seconds=3600),
        ],
    )
    assert driven.slept == sorted(driven.slept)
    assert driven.slept[0] < 0.3 and driven.slept[-1] == 3.0


def test_an_update_that_somebody_else_cancelled_has_nothing_to_fix() -> None:
    updating = Operation("web-db", "arn:web-db", "UPDATE_COMPLETE", "e0")
    cancelled = event("e1", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    echo = event("e2", "UPDATE_FAILED", "Resource update cancelled", of="Service")
    end = event("e3", "UPDATE_ROLLBACK_COMPLETE")
    outcome = followed(happened(echo, cancelled), happened(end), operation=updating).outcome
    assert outcome.kind == "rolled-back"
    assert outcome.reason.endswith("(UPDATE_ROLLBACK_COMPLETE): somebody cancelled the update")
    assert outcome.hint == "if it is still wanted, run the same command again"


def test_a_deletion_that_cloudformation_takes_back_failed_with_its_reason() -> None:
    # It gets the status back that it had: https://github.com/boto/boto3/issues/4192
    removing = Operation("web-db", "arn:web-db", "DELETE_COMPLETE", "e0")
    reason = "Export web-db-X cannot be deleted as it is in use by web-ecs"
    begun = event("e1", "DELETE_IN_PROGRESS", "User Initiated")
    back = event("e2", "UPDATE_COMPLETE", reason)
    outcome = followed(happened(begun, back), operation=removing).outcome
    assert (outcome.kind, outcome.reason) == (
        "failed",
        f"`web-db` ended in UPDATE_COMPLETE: {reason}",
    )


def test_events_after_the_end_belong_to_another_operation() -> None:
    ended = followed(happened(event("e1", "CREATE_COMPLETE"), event("e2", "UPDATE_IN_PROGRESS")))
    assert (ended.after, ended.outcome.kind) == ("e1", "done")


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_rolled_back_operation_is_never_called_done(status: str) -> None:
    cause = event("e1", "CREATE_FAILED", "no such image", of="Service")
    outcome = followed(happened(cause, event("e2", status))).outcome
    assert outcome.kind == "rolled-back"
    assert outcome.reason == f"`web-db` ({status}): Service: no such image"


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"])
def test_any_other_end_is_a_failure(status: str) -> None:
    outcome = followed(happened(event("e1", status, "because"))).outcome
    assert (outcome.kind, outcome.reason) == ("failed", f"`web-db` ended in {status}: because")
    assert outcome.hint is not None and "again" in outcome.hint


def test_a_stack_that_somebody_deletes_while_it_is_created_is_not_done() -> None:
    outcome = followed(
        happened(event("e1", "CREATE_IN_PROGRESS"), event("e2", "DELETE_IN_PROGRESS")),
        happened(event("e3", "DELETE_COMPLETE")),
    ).outcome
    assert outcome.kind == "failed"
    assert "was deleted while it was being created" in outcome.reason


def test_the_cause_is_shown_without_the_text_around_it() -> None:
    sentence = 'Quota "nodes" exceeded.'
    handler = "(RequestToken: 63-7e, HandlerErrorCode: GeneralServiceException)"
    reason = f'Resource handler returned message: "{sentence}" {handler}'
    cause = event("e1", "CREATE_FAILED", reason, of="Cache")
    outcome = followed(happened(cause, event("e2", "ROLLBACK_COMPLETE"))).outcome
    assert outcome.reason.endswith('Cache: Quota "nodes" exceeded.')


def test_an_echo_of_another_failure_is_not_a_cause() -> None:
    echo = event("e1", "CREATE_FAILED", "Resource creation cancelled", of="A")
    cause = event("e2", "CREATE_FAILED", "no room", of="B")
    ended = followed(happened(echo, cause, event("e3", "ROLLBACK_COMPLETE")))
    assert ended.cause == cause


def test_a_group_without_signals_is_asked_what_ec2_answered() -> None:
    cause = event("e1", "CREATE_FAILED", "no signal", of="Group", type=GROUP)
    activity = Activity("a", "Failed", message="no capacity")
    driven = Driven(
        follow(CREATING, subject="x"),
        [
            happened(cause, event("e2", "ROLLBACK_COMPLETE")),
            happened(group=Group("g", activities=(activity,))),
        ],
    )
    assert driven.looks[-1].group == "physical"
    assert driven.result.outcome.reason.endswith("Group: no signal: no capacity")


def test_without_permission_for_the_group_the_rest_is_reported() -> None:
    cause = event("e1", "CREATE_FAILED", "no signal", of="Group", type=GROUP)
    ended = followed(happened(cause, event("e2", "ROLLBACK_COMPLETE")), happened())
    assert ended.outcome.reason.endswith("Group: no signal")


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
    ],
)
def test_an_operation_that_is_joined_should_end_as_it_began(status: str, end: str) -> None:
    joined = Operation.of(stack("db", status))
    assert followed(happened(event("e1", end)), operation=joined).outcome.kind == "done"


def test_while_the_group_is_made_its_instances_are_looked_at_and_counted() -> None:
    making = event("e1", "CREATE_IN_PROGRESS", of="AutoScalingGroup", type=GROUP)
    operation, _ = Operation("web-ecs", "arn", "CREATE_COMPLETE").see(happened(making))
    assert {"group", "instances"} <= operation.look.parts
    assert operation.look.group == "physical"

    one = GroupInstance("i-1")
    refused = Activity("a", "Failed", message="no capacity")
    now = happened(group=Group("g", desired=2, instances=(one,), activities=(refused,)))
    operation, news = operation.see(now)
    [fleet] = news
    assert isinstance(fleet, Fleet)
    assert fleet.text == "1 of 2 instances launched, 0 joined: no capacity"
    assert operation.see(now)[1] == ()  # said once

    made = event("e2", "CREATE_COMPLETE", of="AutoScalingGroup", type=GROUP)
    operation, _ = operation.see(happened(made))
    assert operation.look.parts == {"events"}


@pytest.mark.parametrize("end", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_what_an_update_could_not_delete_is_told_because_no_stack_knows_it_any_more(
    end: str,
) -> None:
    operation = Operation("web-db", "arn:web-db", "UPDATE_COMPLETE", "e0")
    failed = event("e1", "DELETE_FAILED", "deletion protection is enabled", of="LoadBalancer")
    operation, _ = operation.see(happened(failed))
    operation, news = operation.see(happened(event("e2", end)))
    [notice] = [one for one in news if isinstance(one, Notice)]
    assert notice.warning and "LoadBalancer: `physical` could not be deleted" in notice.text
    assert "deletion protection is enabled" in notice.text
