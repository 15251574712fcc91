"""Somebody else at the same stack: waited for, joined, and never taken for an error."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.errors import OpsError, TimedOut
from opsctl.procedure import Notice
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import change, join, lock
from tests.opsctl.snapshots import START, Driven, stack, stacks
from tests.opsctl.ssm import Ssm, Writer
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal
from tests.opsctl.stacks.test_change import EXISTS, STACK, UPDATED, up


def locked(by: str = "bob", *, seconds: float = 0, until: float = 600, **more: Any) -> Lock:
    """A lock of web-db that is held, `seconds` after START."""
    since = START + timedelta(seconds=seconds)
    end = START + timedelta(seconds=until)
    return Lock("web-db", 1, who=by, host="laptop", process=by, since=since, until=end, **more)


def test_a_lock_that_somebody_holds_is_waited_for() -> None:
    held = replace(EXISTS, locks={"db": locked()})
    free = replace(EXISTS, locks={"db": locked(closed=True)})
    driven = up(CloudFormation(), held, held, free, free, UPDATED)
    assert driven.result.kind == "done"
    first = driven.of(Notice)[0].text
    assert "locked by bob@laptop since 12:00 UTC" in first and "opsctl unlock web-db" in first


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (replace(EXISTS, locks={"db": locked()}), "locked by bob@laptop since 12:00 UTC"),
        (stacks(stack("db", "UPDATE_IN_PROGRESS")), "`web-db` is still being changed"),
    ],
)
def test_nobody_is_waited_for_longer_than_the_command_may_take(now: Snapshot, words: str) -> None:
    clients = cast(Any, Clients(CloudFormation()))
    waits = join.free(clients, "db", good=False, patience=timedelta(0))
    with pytest.raises(TimedOut, match=f"still running: .*{words}") as caught:
        Driven(waits, [now])
    assert caught.value.hint == "run the same command again: it joins what is running"


def test_what_the_holder_of_a_lock_begins_is_joined() -> None:
    held = replace(EXISTS, locks={"db": locked()})
    running = replace(stacks(stack("db", "UPDATE_IN_PROGRESS")), locks={"db": locked()})
    driven = up(CloudFormation(changes=()), held, running, running, UPDATED, EXISTS, answers=())
    assert driven.result.kind == "no-changes"
    assert any("joining what is running" in one.text for one in driven.of(Notice))


def test_a_lock_that_nobody_renews_ends_the_command_with_the_one_that_removes_it() -> None:
    now = replace(EXISTS, at=START + timedelta(hours=1), locks={"db": locked()})
    with pytest.raises(OpsError, match="seems to be gone") as caught:
        up(CloudFormation(), now)
    assert caught.value.hint is not None and "opsctl unlock web-db" in caught.value.hint


def test_whoever_gets_the_lock_second_plans_again() -> None:
    ssm, aws = Ssm(), CloudFormation()
    bob = cast(Any, Writer(ssm, "bob"))
    [held] = [Driven(lock.take(bob, "db", "web-db", now=ssm.now)).result]
    clients = cast(Any, Clients(aws, ssm=ssm))
    procedure = change.up(clients, STACK, bucket=None, sleep=lambda _: None)
    looks: list[Snapshot] = []

    def look(look: Look) -> Snapshot:
        looks.append(EXISTS)
        if len(looks) == 2:
            held.__exit__()
        return UPDATED if aws.executed else EXISTS

    driven = Driven(procedure, look, (True, True))
    assert driven.result.kind == "done" and len(aws.executed) == 1
    assert "locked by bob@laptop" in driven.of(Notice)[0].text


QUICKER = [
    ("CreateChangeSet", "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not"),
    ("CreateChangeSet", "AlreadyExistsException", "Stack [web-db] already exists"),
    ("CreateChangeSet", "ValidationError", "Stack [web-db] does not exist"),
    ("DescribeChangeSet", "ChangeSetNotFound", "ChangeSet [x] does not exist"),
    ("ExecuteChangeSet", "InvalidChangeSetStatus", "ChangeSet is in the status OBSOLETE"),
    ("ExecuteChangeSet", "ValidationError", "Stack [web-db] is in ROLLBACK_COMPLETE state and can"
     " not be updated."),
    ("ExecuteChangeSet", "OperationInProgressException", "another operation"),
    ("DescribeStackEvents", "ValidationError", "Stack [web-db] does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "code", "message"), QUICKER)
def test_every_error_for_a_concurrent_change_leads_to_another_look(
    operation: str, code: str, message: str
) -> None:
    aws = CloudFormation()
    aws.fails[operation] = refusal(operation, code, message)
    clients = cast(Any, Clients(aws))
    procedure = change.up(clients, STACK, bucket=None, sleep=lambda _: None)
    driven = Driven(procedure, lambda look: UPDATED if aws.executed else EXISTS, (True, True))
    assert driven.result.kind == "done" and len(aws.executed) == 1
