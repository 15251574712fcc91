"""A change of a stack that an earlier operation left dead or half-way: its way out comes first."""

from typing import Any, cast

import pytest

from opsctl.errors import Detached, OpsError
from opsctl.procedure import Driver, Question
from opsctl.stacks import change
from opsctl.stacks.changes import Plan
from opsctl.stacks.operation import Removal
from tests.opsctl.snapshots import Driven, event, happened, stack, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation
from tests.opsctl.stacks.test_change import CREATED, EXISTS, GONE, NOTHING, STACK, up


def test_what_a_failed_creation_left_is_removed_after_a_yes_and_made_anew() -> None:
    dead = stacks(stack("db", "ROLLBACK_COMPLETE"))
    gone = happened(event("e1", "DELETE_COMPLETE"))
    aws = CloudFormation()
    aws.status = "ROLLBACK_COMPLETE"
    driven = up(aws, dead, gone, NOTHING, CREATED, answers=(True, True))
    assert aws.deleted == ["arn:web-db"] and driven.result.kind == "done"


def test_what_a_failed_creation_left_stays_while_the_stack_is_protected() -> None:
    aws = CloudFormation()
    with pytest.raises(OpsError, match="has termination protection"):
        up(aws, stacks(stack("db", "ROLLBACK_COMPLETE", protected=True)))
    assert aws.calls == []


def test_what_a_failed_creation_left_stays_after_a_no() -> None:
    aws = CloudFormation()
    with pytest.raises(Detached):
        up(aws, stacks(stack("db", "ROLLBACK_COMPLETE")), answers=(False,))
    assert aws.deleted == []


def resources(**statuses: str) -> list[dict[str, str]]:
    return [
        {"LogicalResourceId": name, "ResourceType": "X", "ResourceStatus": status}
        for name, status in statuses.items()
    ]


def test_what_stopped_a_deletion_may_be_gone_by_now_so_nothing_is_left_behind() -> None:
    aws = CloudFormation()
    aws.status = "DELETE_FAILED"
    aws.resources = resources(A="DELETE_FAILED", B="CREATE_COMPLETE")
    dead = stacks(stack("db", "DELETE_FAILED"))
    driven = up(aws, dead, GONE, NOTHING, CREATED, answers=(True, True))
    assert driven.result.kind == "done" and aws.retained == []


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED"])
def test_a_cache_that_a_failure_left_is_removed_only_by_the_name_of_its_stack(status: str) -> None:
    aws = CloudFormation()
    aws.resources = resources(Cache="CREATE_COMPLETE")
    aws.resources[0]["ResourceType"] = "AWS::ElastiCache::CacheCluster"
    procedure = change.up(cast(Any, Clients(aws)), STACK, bucket=None, sleep=lambda _: None)
    left = stacks(stack("db", status))
    driver = Driver(procedure, look=lambda _: left, sleep=lambda _: None)
    question = next(item for item in driver if isinstance(item, Question))
    assert question.name == "web-db" and "the cache empties" in question.text
    driver.answer(False)
    with pytest.raises(Detached):
        next(driver)
    assert aws.deleted == []


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_what_needs_a_stack_does_not_remove_it(status: str) -> None:
    aws = CloudFormation()
    with pytest.raises(OpsError, match=status) as caught:
        Driven(change.settle(cast(Any, Clients(aws)), "db"), [stacks(stack("db", status))])
    assert caught.value.hint == "to make it anew: opsctl db up" and aws.calls == []


def test_what_stops_a_deletion_twice_is_left_behind_after_a_yes() -> None:
    aws = CloudFormation()
    aws.status = "DELETE_FAILED"
    aws.resources = resources(A="DELETE_FAILED", B="CREATE_COMPLETE")
    dead = stacks(stack("db", "DELETE_FAILED"))
    again = happened(event("e1", "DELETE_FAILED"))
    driven = up(aws, dead, again, GONE, NOTHING, CREATED, answers=(True, True, True))
    assert "leaving A behind" in driven.questions[1].text and aws.retained == ["A"]


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_a_plan_shows_what_is_left_of_a_dead_stack_and_what_is_made_anew(status: str) -> None:
    aws = CloudFormation()
    aws.resources = resources(SecurityGroup="DELETE_FAILED")
    clients = cast(Any, Clients(aws))
    driven = Driven(change.preview(clients, STACK, bucket=None), [stacks(stack("db", status))])
    [left], [plan] = driven.of(Removal), driven.of(Plan)
    assert status in left.why and len(left.resources) == 1
    assert plan.kind == "CREATE" and driven.result is True
    assert aws.calls == ["ListStackResources"]


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("UPDATE_ROLLBACK_FAILED", "to repair it: opsctl db up"),
        ("UPDATE_FAILED", "to repair it: opsctl db up"),
        ("IMPORT_ROLLBACK_FAILED", "ask AWS Support to repair it, or remove it: opsctl db down"),
    ],
)
def test_no_plan_is_made_of_a_stack_that_takes_no_change_set(status: str, hint: str) -> None:
    aws = CloudFormation()
    with pytest.raises(OpsError, match=status) as caught:
        Driven(
            change.preview(cast(Any, Clients(aws)), STACK, bucket=None),
            [stacks(stack("db", status))],
        )
    assert caught.value.hint == hint and aws.calls == []


def test_a_stack_that_only_its_deletion_helps_is_not_taken_for_somebody_elses_change() -> None:
    aws = CloudFormation()
    with pytest.raises(OpsError, match="accepts no changes to it"):
        up(aws, stacks(stack("db", "IMPORT_ROLLBACK_FAILED")))
    assert aws.calls == []


def test_a_rollback_that_failed_is_continued_without_what_failed() -> None:
    aws = CloudFormation(changes=())
    aws.resources = resources(Service="UPDATE_FAILED", Group="UPDATE_FAILED")
    aws.resources[1]["ResourceStatusReason"] = "Resource update cancelled"
    stuck = stacks(stack("db", "UPDATE_ROLLBACK_FAILED"))
    back = happened(event("e1", "UPDATE_ROLLBACK_COMPLETE"))
    driven = up(aws, stuck, back, EXISTS)
    assert aws.skipped == ["Service"] and "skipping Service" in driven.questions[0].text


def test_an_update_that_was_left_half_way_is_rolled_back_before_another_one() -> None:
    # Only an update made by other means, with its rollback switched off, ends like that.
    aws = CloudFormation(changes=())
    left = stacks(stack("db", "UPDATE_FAILED"))
    back = happened(event("e1", "UPDATE_ROLLBACK_COMPLETE"))
    driven = up(aws, left, back, EXISTS)
    assert "RollbackStack" in aws.calls and driven.result.kind == "no-changes"
    assert driven.questions[0].text == "roll `web-db` back?"


def test_after_a_no_a_half_update_stays_as_it_is() -> None:
    aws = CloudFormation()
    with pytest.raises(Detached):
        up(aws, stacks(stack("db", "UPDATE_FAILED")), answers=(False,))
    assert "RollbackStack" not in aws.calls and aws.change_sets == {}
