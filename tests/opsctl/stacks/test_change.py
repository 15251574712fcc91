"""Plan, ask, change: nothing happens before the answer, and nothing is left behind unsaid."""

from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from opsctl.errors import OpsError, RolledBack
from opsctl.procedure import Cancel, Driver, Notice, Question, Waiting
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.taken import Named
from opsctl.stacks import change, definition, names
from opsctl.stacks.changes import Plan
from opsctl.stacks.operation import StackResult
from tests.opsctl.snapshots import Driven, config, event, happened, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal

STACK = definition.db(config())
NOTHING = stacks()
EXISTS = stacks(stack("db", "CREATE_COMPLETE"))
CREATED = happened(event("e1", "CREATE_COMPLETE"))
GONE = happened(event("e1", "DELETE_COMPLETE"))
UPDATED = happened(event("e1", "UPDATE_COMPLETE"))


def up(aws: CloudFormation, *snapshots: Snapshot, answers: tuple[bool, ...] = (True,)) -> Driven:
    clients = cast(Any, Clients(aws))
    procedure = change.up(clients, STACK, bucket=None, sleep=lambda _: None)
    return Driven(procedure, snapshots, answers)


def test_a_new_stack_is_planned_from_its_template_without_calling_aws() -> None:
    aws = CloudFormation()
    clients = cast(Any, Clients(aws))
    driven = Driven(change.preview(clients, STACK, bucket=None), [NOTHING])
    [plan] = driven.of(Plan)
    assert driven.result is True and aws.calls == []
    assert {one.action for one in plan.changes} == {"Add"}
    assert "CacheCluster" in [one.logical_id for one in plan.changes]


def test_a_preview_of_an_update_removes_its_change_set() -> None:
    aws = CloudFormation()
    driven = Driven(change.preview(cast(Any, Clients(aws)), STACK, bucket=None), [EXISTS])
    assert driven.result is True
    assert aws.change_sets == {} and aws.executed == [] and aws.deleted == []


@pytest.mark.parametrize(("now", "then"), [(NOTHING, CREATED), (EXISTS, UPDATED)])
def test_after_a_yes_the_plan_is_executed_and_followed(now: Snapshot, then: Snapshot) -> None:
    aws = CloudFormation()
    driven = up(aws, now, then)
    assert driven.result.kind == "done" and len(aws.executed) == 1
    assert driven.items[-1] == StackResult("web-db", driven.result)


@pytest.mark.parametrize("now", [NOTHING, EXISTS])
def test_after_a_no_nothing_was_changed_and_nothing_is_left(now: Snapshot) -> None:
    aws = CloudFormation()
    driven = up(aws, now, answers=(False,))
    assert driven.result.kind == "cancelled"
    assert aws.executed == [] and aws.change_sets == {} and aws.deleted == []


@pytest.mark.parametrize("theirs", ["reviewed-by-the-auditors", "opsctl-0123"])
def test_a_new_stack_with_a_change_set_of_another_tool_is_left_to_it(theirs: str) -> None:
    # Executing ours would have deleted theirs, unsaid.
    aws = CloudFormation()
    aws.change_sets[theirs] = {"StackName": "web-db"}
    reviewed = stacks(stack("db", "REVIEW_IN_PROGRESS"))
    if theirs.startswith("opsctl-"):
        assert up(aws, reviewed, CREATED).result.kind == "done"
        return
    with pytest.raises(OpsError, match=f"a change set of somebody else: {theirs}"):
        up(aws, reviewed)
    assert list(aws.change_sets) == [theirs] and aws.executed == []


def test_a_no_never_deletes_a_stack_that_somebody_made_meanwhile() -> None:
    # A1: the only thing that an answer of "no" may touch is our own change set.
    aws = CloudFormation()
    up(aws, NOTHING, answers=(False,))
    assert "DeleteStack" not in aws.calls


def test_an_operation_that_somebody_else_began_first_is_joined_and_planned_again_after() -> None:
    # A4: between the question and the answer, their change set removed ours.
    aws = CloudFormation()
    done = {"ExecuteChangeSet": aws.somebody_executes}

    def meanwhile(operation: str) -> None:
        done.pop(operation, lambda: None)()

    aws.before = meanwhile
    driven = up(aws, EXISTS, EXISTS, UPDATED, answers=(True, True))
    assert driven.result.kind == "done"
    assert len(driven.of(Plan)) == 2 and len(driven.questions) == 2
    assert "looking again" in driven.of(Notice)[0].text


def test_an_answer_that_was_lost_on_its_way_is_not_taken_for_somebody_else() -> None:
    aws = CloudFormation()
    execute = aws.execute_change_set

    def twice(*, ChangeSetName: str, ClientRequestToken: str) -> None:
        execute(ChangeSetName=ChangeSetName, ClientRequestToken=ClientRequestToken)
        execute(ChangeSetName=ChangeSetName, ClientRequestToken=ClientRequestToken)

    aws.execute_change_set = twice  # type: ignore[method-assign]  # our fake, not a part of ours
    assert up(aws, EXISTS, UPDATED).result.kind == "done"


def test_an_update_without_changes_asks_nothing() -> None:
    driven = up(CloudFormation(changes=()), EXISTS)
    assert driven.result.kind == "no-changes" and driven.questions == []


def test_what_loses_data_must_be_typed_by_name() -> None:
    aws = CloudFormation()
    describe = aws.describe_change_set

    def replacing(**parameters: Any) -> Any:
        described = describe(**parameters)
        described["Changes"][0]["ResourceChange"] |= {
            "ResourceType": "AWS::ElastiCache::CacheCluster",
            "Replacement": "True",
        }
        return described

    aws.describe_change_set = replacing  # type: ignore[method-assign]  # our fake
    driven = up(aws, EXISTS, answers=(False,))
    [question] = driven.questions
    assert question.name == "web-db"
    assert question.text == "the cache empties"
    assert "Topic: replaced; the cache empties" in driven.of(Notice)[0].text


@pytest.mark.parametrize("operation", ["DescribeChangeSet", "ExecuteChangeSet"])
@pytest.mark.parametrize("now", [NOTHING, EXISTS])
def test_a_fault_after_the_change_set_was_made_leaves_none(operation: str, now: Snapshot) -> None:
    aws = CloudFormation()
    aws.fails[operation] = refusal(operation, "AccessDenied")
    with pytest.raises(Exception, match="AccessDenied"):
        up(aws, now)
    assert aws.change_sets == {} and aws.executed == []


def test_a_change_set_that_cannot_be_removed_is_named() -> None:
    aws = CloudFormation()
    aws.fails["DescribeChangeSet"] = refusal("DescribeChangeSet", "AccessDenied")
    aws.fails["DeleteChangeSet"] = EndpointConnectionError(endpoint_url="http://x")
    with pytest.raises(OpsError, match="AccessDenied.*`opsctl-.*` is left behind") as caught:
        up(aws, EXISTS)
    assert caught.value.exit_code == 3


def test_a_refusal_to_make_a_change_set_leaves_nothing_to_remove() -> None:
    aws = CloudFormation()
    aws.fails["CreateChangeSet"] = refusal("CreateChangeSet", "AccessDenied")
    with pytest.raises(Exception, match="AccessDenied"):
        up(aws, EXISTS)
    assert "DeleteChangeSet" not in aws.calls


def test_a_question_that_is_interrupted_leaves_nothing() -> None:
    aws = CloudFormation()
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    assert isinstance(next(procedure), Waiting)
    assert isinstance(procedure.send(EXISTS), Plan)
    next(procedure)
    procedure.close()
    assert aws.change_sets == {} and aws.executed == []


def test_an_operation_that_runs_is_joined_first() -> None:
    running = stacks(stack("db", "UPDATE_IN_PROGRESS"))
    driven = up(CloudFormation(changes=()), running, UPDATED, EXISTS)
    assert "joining what is running" in driven.of(Notice)[0].text
    assert driven.result.kind == "no-changes"


def test_a_joined_operation_that_fails_ends_the_command_with_its_cause() -> None:
    running = stacks(stack("db", "UPDATE_IN_PROGRESS"))
    failed = happened(
        event("e1", "UPDATE_FAILED", "no room", of="A"), event("e2", "UPDATE_ROLLBACK_COMPLETE")
    )
    with pytest.raises(RolledBack, match="no room"):
        up(CloudFormation(), running, failed)


def test_after_somebodys_rollback_the_change_goes_on() -> None:
    running = stacks(stack("db", "UPDATE_ROLLBACK_IN_PROGRESS"))
    back = happened(event("e1", "UPDATE_ROLLBACK_COMPLETE"))
    driven = up(CloudFormation(), running, back, EXISTS, UPDATED)
    assert driven.result.kind == "done"


def test_a_stack_that_is_not_ours_is_never_touched() -> None:
    aws = CloudFormation()
    foreign = stacks(stack("db", "CREATE_COMPLETE", tags={}))
    with pytest.raises(OpsError, match="was not made by opsctl"):
        up(aws, foreign)
    assert aws.calls == []


def test_a_plan_that_cloudformation_refuses_says_why() -> None:
    aws = CloudFormation()
    aws.reason = "Template error: no such thing"
    with pytest.raises(OpsError, match="no such thing"):
        up(aws, EXISTS)
    assert aws.change_sets == {}


VALIDATION = {
    "LogicalResourceId": "AppLogGroup",
    "ValidationStatusReason": "Resource of type 'AWS::Logs::LogGroup' with identifier '/web/app' "
    "already exists.",
    "ValidationPath": "/Resources/AppLogGroup",
}


def test_the_reason_is_asked_for_before_the_change_set_goes() -> None:
    # Since November 2025 the status says only that a validation failed.
    aws = CloudFormation()
    aws.reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::…]"
    aws.validations = [VALIDATION]
    with pytest.raises(OpsError, match="with identifier '/web/app' already exists") as caught:
        up(aws, EXISTS)
    assert caught.value.hint is not None and "up --import" in caught.value.hint
    assert aws.calls.index("DescribeEvents") < aws.calls.index("DeleteChangeSet")


def test_what_another_stack_holds_is_not_taken_over_and_the_hint_does_not_say_so() -> None:
    aws = CloudFormation()
    aws.reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::…]"
    aws.validations = [VALIDATION]
    wanted = replace(STACK, imports=frozenset({"AppLogGroup"}))
    procedure = change.up(cast(Any, Clients(aws)), wanted, bucket=None, sleep=lambda _: None)
    with pytest.raises(OpsError, match="already exists") as caught:
        Driven(procedure, (EXISTS,), (True,))
    assert caught.value.hint is not None and "--import" not in caught.value.hint
    assert "another stack holds" in caught.value.hint


def test_an_endpoint_that_ignores_the_wish_to_take_something_over_is_noticed() -> None:
    aws = CloudFormation(changes=("AppLogGroup",))
    aws.details = {"Action": "Add"}
    wanted = replace(STACK, imports=frozenset({"AppLogGroup"}))
    procedure = change.up(cast(Any, Clients(aws)), wanted, bucket=None, sleep=lambda _: None)
    with pytest.raises(OpsError, match="does not know imports in a change set"):
        Driven(procedure, (EXISTS,), (True,))
    assert aws.executed == []


def test_without_the_permission_the_missing_permission_is_named() -> None:
    aws = CloudFormation()
    aws.reason = "The following hook(s)/validation failed"
    aws.fails["DescribeEvents"] = refusal("DescribeEvents", "AccessDenied")
    with pytest.raises(OpsError, match="validation failed") as caught:
        up(aws, EXISTS)
    assert caught.value.hint is not None and "cloudformation:DescribeEvents" in caught.value.hint


def test_an_endpoint_without_describe_events_is_not_called_a_missing_permission() -> None:
    aws = CloudFormation()
    aws.reason = "The following hook(s)/validation failed"
    aws.fails["DescribeEvents"] = refusal("DescribeEvents", "InvalidAction")
    with pytest.raises(OpsError, match="validation failed") as caught:
        up(aws, EXISTS)
    assert caught.value.hint is not None and "has no DescribeEvents" in caught.value.hint


@pytest.mark.parametrize(
    ("property", "possible"), [("Port", False), ("Engine", False), ("ClusterName", True)]
)
def test_a_replacement_under_the_same_name_is_refused_before_anybody_is_asked(
    property: str, possible: bool
) -> None:
    aws = CloudFormation()
    aws.details = {
        "LogicalResourceId": "CacheCluster",
        "ResourceType": "AWS::ElastiCache::CacheCluster",
        "Replacement": "True",
        "Details": [{"Target": {"Name": property, "RequiresRecreation": "Always"}}],
    }
    if possible:
        assert up(aws, EXISTS, answers=(False,)).questions
        return
    with pytest.raises(OpsError, match=f"because of {property}, and CloudFormation") as caught:
        up(aws, EXISTS)
    assert caught.value.hint is not None and "set another `db.name`" in caught.value.hint
    assert aws.change_sets == {} and aws.executed == []


def test_a_new_stack_whose_names_exist_is_refused_before_anybody_is_asked() -> None:
    taken = Named("SubnetGroup", "AWS::ElastiCache::SubnetGroup", "web-redis")
    aws = CloudFormation()
    with pytest.raises(OpsError, match="exists already: AWS::ElastiCache::SubnetGroup") as caught:
        up(aws, replace(NOTHING, taken=(taken,)))
    assert caught.value.hint == "set `db.subnet_group_name` in opsctl.yaml, or remove them yourself"
    assert aws.calls == []


def test_what_may_be_taken_over_is_offered() -> None:
    group = Named("AppLogGroup", "AWS::Logs::LogGroup", "/web/app")
    with pytest.raises(OpsError) as caught:
        names.require_free([group], "web-ecs", "ecs")
    assert caught.value.hint == "opsctl ecs up --import: the stack takes them over as they are"


def test_a_plan_of_a_stack_that_changes_would_be_out_of_date() -> None:
    running = stacks(stack("db", "UPDATE_IN_PROGRESS"))
    clients = cast(Any, Clients(CloudFormation()))
    with pytest.raises(OpsError, match="out of date at once") as caught:
        Driven(change.preview(clients, STACK, bucket=None), [running])
    assert caught.value.hint == "opsctl db up"


def test_an_update_can_be_cancelled_and_is_followed_to_its_rollback() -> None:
    aws = CloudFormation()
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    assert isinstance(next(procedure), Waiting)
    procedure.send(EXISTS)
    next(procedure)
    waiting = procedure.send(True)
    assert isinstance(waiting, Waiting) and waiting.cancellable
    notice = procedure.throw(Cancel())
    assert isinstance(notice, Notice) and "cancelling" in notice.text
    assert "CancelUpdateStack" in aws.calls
    assert isinstance(next(procedure), Waiting)


def test_a_refused_cancellation_does_not_hide_why_the_update_failed() -> None:
    """CloudFormation was rolling back already, so nobody cancelled it."""
    aws = CloudFormation()
    aws.fails["CancelUpdateStack"] = refusal("CancelUpdateStack", "ValidationError")
    rolled_back = happened(event("e1", "UPDATE_ROLLBACK_COMPLETE"))
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    driver = Driver(
        procedure,
        look=lambda look: rolled_back if "CancelUpdateStack" in aws.calls else EXISTS,
        sleep=lambda seconds: None,
    )
    for item in driver:
        if isinstance(item, Question):
            driver.answer(True)
        if isinstance(item, Waiting) and item.cancellable and "CancelUpdateStack" not in aws.calls:
            driver.cancel()
    assert driver.result.kind == "rolled-back"


def test_a_creation_of_ours_that_is_cancelled_is_removed_again() -> None:
    aws = CloudFormation()
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    driver = Driver(
        procedure,
        look=lambda look: GONE if aws.deleted else NOTHING,
        sleep=lambda seconds: None,
    )
    for item in driver:
        if isinstance(item, Question):
            driver.answer(True)
        if isinstance(item, Waiting) and item.cancellable and not aws.deleted:
            driver.cancel()
    assert aws.deleted == ["arn:web-db"] and driver.result.kind == "cancelled"


def test_a_creation_by_somebody_else_cannot_be_cancelled() -> None:
    procedure = change.up(
        cast(Any, Clients(CloudFormation())), STACK, bucket=None, sleep=lambda _: None
    )
    next(procedure)
    procedure.send(stacks(stack("db", "CREATE_IN_PROGRESS")))
    waiting = next(procedure)
    assert isinstance(waiting, Waiting) and not waiting.cancellable
