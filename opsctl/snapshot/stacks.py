"""What CloudFormation says of a stack: its state, its resources, its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

# What CloudFormation writes on resources that did not fail themselves.
_ECHOES = ("Resource creation cancelled", "Resource update cancelled", "The following resource(s)")


@dataclass(frozen=True, slots=True)
class StackState:
    """`changed` is when its last operation began; `protected` is termination protection.

    `resolved` are the values of parameters that name an SSM parameter.
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

    @property
    def exists(self) -> bool:
        """Whether there is a stack to update; REVIEW_IN_PROGRESS holds only a change set."""
        return self.status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def value(self, parameter: str) -> str:
        """A parameter's value, that of the SSM parameter it names where it names one."""
        return self.resolved.get(parameter) or self.parameters.get(parameter, "")

    @property
    def troubled(self) -> bool:
        """Whether its last operation failed, or one runs that may be failing."""
        return self.in_progress or "ROLLBACK" in self.status or self.status.endswith("_FAILED")

    @property
    def ours(self) -> bool:
        return "opsctl:name" in self.tags


@dataclass(frozen=True, slots=True)
class StackResource:
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str = ""

    @property
    def failed_itself(self) -> bool:
        """Its own failure, not the echo of another's: CloudFormation skips no echo."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(_ECHOES)


@dataclass(frozen=True, slots=True)
class StackEvent:
    """`token` is the client request token of the call that began the operation, '' without one."""

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
        """A resource's own failure, not the echo of another's."""
        own = not self.is_stack and bool(self.reason) and not self.reason.startswith(_ECHOES)
        return self.failed and own

    @property
    def is_stack(self) -> bool:
        return self.resource_type == "AWS::CloudFormation::Stack" and self.logical_id == self.stack

    @property
    def ends(self) -> bool:
        """The stack's own last event of an operation."""
        return self.is_stack and not self.status.endswith("_IN_PROGRESS")


def describe(cloudformation: "CloudFormationClient", name: str) -> StackState | None:
    """The stack of this name or id; None when there is no such stack."""
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
    """All events newer than the one with the id `after`, oldest first.

    With `after` None: those of the operation that runs, or ran last. `stack` is best an id: a
    deleted stack is known by nothing else.
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
    """All events from `since` on, oldest first."""
    newer: list[StackEvent] = []
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    for described in (event for page in pages for event in page["StackEvents"]):
        if described["Timestamp"] < since:
            break
        newer.append(_event(described))
    return tuple(newer[::-1])


def failures(cloudformation: "CloudFormationClient", stack: str) -> tuple[StackEvent, ...]:
    """What failed in the operation that runs or ran last, oldest first; none for a stack that has
    gone meanwhile.
    """
    try:
        return tuple(one for one in events(cloudformation, stack, None) if one.failed)
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return ()
        raise


def change_sets(cloudformation: "CloudFormationClient", stack: str) -> tuple[str, ...]:
    """The names of the stack's change sets."""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    return tuple(one.get("ChangeSetName", "") for page in pages for one in page["Summaries"])


def newest_event(cloudformation: "CloudFormationClient", stack: str) -> str | None:
    """The id after which events belong to the next operation; None when there is no stack."""
    try:
        newest = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except cloudformation.exceptions.ClientError as error:
        if missing(error):
            return None
        raise
    return newest[0]["EventId"] if newest else None


def resources(cloudformation: "CloudFormationClient", stack: str) -> tuple[StackResource, ...]:
    """What the stack holds now; deleted resources are left out."""
    described = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return tuple(
        StackResource(
            logical_id=resource["LogicalResourceId"],
            physical_id=resource.get("PhysicalResourceId", ""),
            resource_type=resource["ResourceType"],
            status=resource["ResourceStatus"],
            reason=resource.get("ResourceStatusReason", ""),
        )
        for resource in described
        if resource["ResourceStatus"] != "DELETE_COMPLETE"
    )


def template(cloudformation: "CloudFormationClient", stack: str) -> str:
    """The template that the stack was last changed with, as it was sent."""
    # botocore gives a JSON template as a dict; ours are YAML.
    return str(cloudformation.get_template(StackName=stack)["TemplateBody"])


def physical_id(cloudformation: "CloudFormationClient", stack: str, logical_id: str) -> str:
    """What a resource is called in its own service; '' while, or where, it is not there."""
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
    """The stacks that import one of these exports, and so keep the stack from being deleted."""
    using: set[str] = set()
    for name in exports:
        try:
            using.update(cloudformation.list_imports(ExportName=name)["Imports"])
        except cloudformation.exceptions.ClientError as error:
            if aws.code(error) != "ValidationError":  # "not imported by any stack"
                raise
    return tuple(sorted(using))


def missing(error: Exception) -> bool:
    """CloudFormation has no error code of its own for an unknown stack."""
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
