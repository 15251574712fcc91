"""Read a CloudFormation stack: its state, resources and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

# CloudFormation writes these reasons on resources that did not fail themselves.
_ECHOES = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s)")


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack. `changed` is when its last operation began; `protected` is termination protection.

    `resolved` holds the values of parameters that refer to an SSM parameter.
    """

    id: str
    name: str
    status: str
    reason: str = ""
    changed: datetime | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    foreign: str = ""
    """The other system that made it: a name and an environment may add up to another's name."""

    @property
    def exists(self) -> bool:
        """Whether the stack can be updated.

        A stack in REVIEW_IN_PROGRESS holds only a change set.
        """
        return self.status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def value(self, parameter: str) -> str:
        """Return a parameter's value; if it refers to an SSM parameter, that one's value."""
        return self.resolved.get(parameter) or self.parameters.get(parameter, "")

    @property
    def tasks(self) -> int | None:
        """The count that the service's stack asks for; None when scaling owns it. Where `ecs up`
        took a 0 over that somebody set by hand, it is the count that was configured.
        """
        for text in (self.parameters.get("DesiredCount"), self.outputs.get("ConfiguredCount")):
            if text and text != "0":
                return int(text) if text.isdigit() else None
        return 0 if self.parameters.get("DesiredCount") else None

    @property
    def troubled(self) -> bool:
        """Whether its last operation failed, or one is running, which may be failing."""
        return self.in_progress or "ROLLBACK" in self.status or self.status.endswith("_FAILED")

    @property
    def stranger(self) -> str:
        """Say whose stack it is if it is not this system's, or ''."""
        if self.foreign:
            return f"stack `{self.name}` belongs to another system: {self.foreign}"
        if "opsctl:name" not in self.tags:
            return f"stack `{self.name}` was not made by opsctl (it lacks the tag opsctl:name)"
        return ""


@dataclass(frozen=True, slots=True)
class StackResource:
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str = ""

    @property
    def failed_itself(self) -> bool:
        """Whether it failed itself, and was not only cancelled after another's failure."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(_ECHOES)


@dataclass(frozen=True, slots=True)
class StackEvent:
    """A stack event. `token` is the client request token of the call that began the operation, or
    ''.
    """

    id: str
    time: datetime
    stack: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str = ""
    token: str = ""

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def is_cause(self) -> bool:
        """Whether a resource failed by itself, not because another one failed."""
        own = not self.is_stack and bool(self.reason) and not self.reason.startswith(_ECHOES)
        return self.failed and own

    @property
    def is_stack(self) -> bool:
        return self.resource_type == "AWS::CloudFormation::Stack" and self.logical_id == self.stack

    @property
    def is_cancellation(self) -> bool:
        """Whether somebody cancelled the update (CancelUpdateStack, the console).

        The first event of every operation has the same reason.
        """
        rolls_back = self.is_stack and self.status == "UPDATE_ROLLBACK_IN_PROGRESS"
        return rolls_back and self.reason.startswith("User Initiated")

    @property
    def ends(self) -> bool:
        """Whether this is the stack's own last event of an operation."""
        return self.is_stack and not self.status.endswith("_IN_PROGRESS")


def describe(cloudformation: "CloudFormationClient", name: str) -> StackState | None:
    """Return the stack with this name or id, or None if there is none."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return None
        raise
    return _state(stacks[0]) if stacks else None


def events(
    cloudformation: "CloudFormationClient", stack: str, after: str | None
) -> tuple[StackEvent, ...]:
    """Return all events newer than the event `after`, oldest first.

    With `after` None, return those of the current or last operation. Pass a stack id where
    possible: a deleted stack cannot be read by its name.
    """
    newer: list[StackEvent] = []
    paging: dict[str, Any] = {}
    while True:
        page = cloudformation.describe_stack_events(StackName=stack, **paging)
        for described in page["StackEvents"]:
            event = _event(described)
            if event.id == after or (after is None and newer and event.ends):
                return tuple(newer[::-1])
            newer.append(event)
        if "NextToken" not in page:
            return tuple(newer[::-1])
        paging = {"NextToken": page["NextToken"]}


def events_since(
    cloudformation: "CloudFormationClient", stack: str, since: datetime
) -> tuple[StackEvent, ...]:
    """Return all events since `since`, oldest first."""
    newer: list[StackEvent] = []
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    for described in (event for page in pages for event in page["StackEvents"]):
        if described["Timestamp"] < since:
            break
        newer.append(_event(described))
    return tuple(newer[::-1])


def failures(cloudformation: "CloudFormationClient", stack: str) -> tuple[StackEvent, ...]:
    """Return the failed events of the current or last operation, and its cancellation.

    Returns none for a stack that no longer exists.
    """
    try:
        newest = events(cloudformation, stack, None)
        # A rollback that is only continued begins like this: nothing was cancelled.
        cancelled = [one for one in newest[1:] if one.is_cancellation]
        return tuple(one for one in newest if one.failed or one in cancelled)
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return ()
        raise


def change_sets(cloudformation: "CloudFormationClient", stack: str) -> tuple[str, ...]:
    """Return the names of the stack's change sets."""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    return tuple(one.get("ChangeSetName", "") for page in pages for one in page["Summaries"])


def newest_event(cloudformation: "CloudFormationClient", stack: str) -> str | None:
    """Return the id of the newest event, or None if there is no stack.

    Events after it belong to the next operation.
    """
    try:
        newest = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return None
        raise
    return newest[0]["EventId"] if newest else None


def resources(cloudformation: "CloudFormationClient", stack: str) -> tuple[StackResource, ...]:
    """Return the resources that the stack holds now, without deleted ones."""
    # DescribeStackResources cuts its answer off after 100 of them.
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    with aws.understood("stack's resources"):
        return tuple(
            StackResource(
                logical_id=resource["LogicalResourceId"],
                physical_id=resource.get("PhysicalResourceId", ""),
                resource_type=resource["ResourceType"],
                status=resource["ResourceStatus"],
                reason=resource.get("ResourceStatusReason", ""),
            )
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] != "DELETE_COMPLETE"
        )


def template(cloudformation: "CloudFormationClient", stack: str) -> str:
    """Return the template that the stack was last changed with, as it was sent."""
    # botocore parses a JSON template into a dict; ours are YAML.
    return str(cloudformation.get_template(StackName=stack)["TemplateBody"])


def physical_id(cloudformation: "CloudFormationClient", stack: str, logical_id: str) -> str:
    """Return a resource's name in its own service; '' if it does not exist (yet)."""
    try:
        described = cloudformation.describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return ""
        raise
    return described["StackResourceDetail"].get("PhysicalResourceId", "")


def importers(cloudformation: "CloudFormationClient", exports: Sequence[str]) -> tuple[str, ...]:
    """Return the stacks that import one of these exports, which therefore cannot be deleted."""
    using: set[str] = set()
    for name in exports:
        try:
            pages = cloudformation.get_paginator("list_imports").paginate(ExportName=name)
            using.update(stack for page in pages for stack in page["Imports"])
        except cloudformation.exceptions.ClientError as error:
            if aws.code(error) != "ValidationError":  # "not imported by any stack"
                raise
    return tuple(sorted(using))


def missing(error: Exception) -> bool:
    """Return whether the error means an unknown stack, which has no error code of its own."""
    return aws.code(error) == "ValidationError" and "does not exist" in aws.message(error)


def _state(stack: "StackTypeDef") -> StackState:
    return StackState(
        id=stack.get("StackId", ""),
        name=stack["StackName"],
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        changed=stack.get("LastUpdatedTime") or stack.get("CreationTime"),
        outputs={
            output.get("OutputKey", ""): output.get("OutputValue", "")
            for output in stack.get("Outputs", ())
        },
        parameters={
            parameter.get("ParameterKey", ""): parameter.get("ParameterValue", "")
            for parameter in stack.get("Parameters", ())
        },
        resolved={
            parameter.get("ParameterKey", ""): parameter["ResolvedValue"]
            for parameter in stack.get("Parameters", ())
            if parameter.get("ResolvedValue")
        },
        tags={tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())},
        protected=stack.get("EnableTerminationProtection", False),
    )


def _event(event: "StackEventTypeDef") -> StackEvent:
    return StackEvent(
        id=event["EventId"],
        time=event["Timestamp"],
        stack=event["StackName"],
        logical_id=event.get("LogicalResourceId", ""),
        physical_id=event.get("PhysicalResourceId", ""),
        resource_type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=event.get("ResourceStatusReason", ""),
        token=event.get("ClientRequestToken", ""),
    )
