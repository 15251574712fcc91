"""Execute what was reviewed, and tell every stack event once, oldest first."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import OpsError, RolledBack, StackFailed
from opsctl.snapshot import stacks as state
from opsctl.stacks.changes import ChangeSet

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

# What CloudFormation writes on resources that did not fail themselves.
_NOISE = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s)")
# What resource handlers wrap around the sentence that somebody wrote for people.
_ENVELOPE = re.compile(
    r'Resource handler returned message: "(.+)" \((?:RequestToken: \S+, )?HandlerErrorCode: \w+\)'
)


@dataclass(frozen=True, slots=True)
class StackEvent:
    id: str
    time: datetime
    stack: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def is_cause(self) -> bool:
        """A failure of its own, not the echo of another's."""
        return self.failed and bool(self.reason) and not self.reason.startswith(_NOISE)

    @property
    def sentence(self) -> str:
        found = _ENVELOPE.fullmatch(self.reason)
        return found[1] if found else self.reason

    @property
    def is_stack(self) -> bool:
        return self.resource_type == "AWS::CloudFormation::Stack" and self.logical_id == self.stack

    @property
    def ends(self) -> bool:
        return self.is_stack and not self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """AWS cannot be asked just now; what is followed goes on without us."""

    error: Exception


def newest_event(cloudformation: "CloudFormationClient", stack: str) -> str | None:
    """The id after which events belong to the next operation; None when there is no stack."""
    try:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except cloudformation.exceptions.ClientError as error:
        if aws.code(error) == "ValidationError":
            return None
        raise
    return events[0]["EventId"] if events else None


def operation_start(cloudformation: "CloudFormationClient", stack: str) -> str | None:
    """The id just before the running operation's first event: to join it from its beginning."""
    previous = None
    for event in _newer(cloudformation, stack, None):
        if event.ends:
            previous = event.id
    return previous


def execute(cloudformation: "CloudFormationClient", change_set: ChangeSet, *, token: str) -> None:
    """Raises OpsError when the stack has moved since the change set was made."""
    try:
        cloudformation.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=token)
    except cloudformation.exceptions.InvalidChangeSetStatusException as error:
        raise OpsError(
            f"`{change_set.stack}` has changed since this plan was made: {aws.message(error)}",
            hint="run the same command again for a new plan",
        ) from error


def follow(
    cloudformation: "CloudFormationClient",
    stack: str,
    *,
    after: str | None,
    sleep: Callable[[float], None],
) -> Iterator[StackEvent | Unanswered]:
    """Yield events newer than `after` until the stack's own final one; resumable at any event.

    `stack` is best an id: a deleted stack is known by nothing else.
    """
    waited, pause = 0.0, 0.2
    while True:
        try:
            events = _newer(cloudformation, stack, after)
        except Exception as error:
            if not aws.transient(error):
                raise
            yield Unanswered(error)
            events = aws.patiently(partial(_newer, cloudformation, stack, after), sleep=sleep)
        for event in events:
            after, pause = event.id, 0.2
            yield event
            if event.ends:
                return
        sleep(pause)
        waited += pause
        # Quick at first, gentle later: a long operation must not eat the account's quota.
        pause = min(pause * 1.3, 1.0 if waited < 60 else 3.0)


def conclude(last: StackEvent, cause: StackEvent | None) -> None:
    """Raise RolledBack or StackFailed unless `last` ends an operation that did what was asked."""
    if last.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
        return
    why = f": {cause.logical_id}: {cause.sentence}" if cause else ""
    if "ROLLBACK_COMPLETE" in last.status:
        raise RolledBack(
            f"`{last.stack}` was rolled back ({last.status}){why}",
            hint="solve that, then run the same command again",
        )
    why = why or (f": {last.reason}" if last.reason else "")
    raise StackFailed(
        f"`{last.stack}` ended in {last.status}{why}",
        hint=state.way_out(last.stack, last.status),
    )


def _newer(
    cloudformation: "CloudFormationClient", stack: str, after: str | None
) -> list[StackEvent]:
    """All events newer than `after`, oldest first; pages newest first until it is met."""
    found: list[StackEvent] = []
    paging: dict[str, Any] = {}
    while True:
        page = cloudformation.describe_stack_events(StackName=stack, **paging)
        for each in page["StackEvents"]:
            if each["EventId"] == after:
                return found[::-1]
            found.append(_event(each))
        if "NextToken" not in page:
            return found[::-1]
        paging = {"NextToken": page["NextToken"]}


def _event(found: Any) -> StackEvent:
    return StackEvent(
        id=found["EventId"],
        time=found["Timestamp"],
        stack=found["StackName"],
        logical_id=found.get("LogicalResourceId", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        resource_type=found.get("ResourceType", ""),
        status=found.get("ResourceStatus", ""),
        reason=found.get("ResourceStatusReason", ""),
    )
