"""Early validation: before it changes anything, CloudFormation judges the properties of a template
by AWS's schemas, and checks whether the names of new resources are free.

A change set fails with a status that says only which validation failed; a stack operation ends
before it began. The reasons are events of the operation.
Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from ministack.services import cloudformation
from ministack.services.cloudformation import engine, stacks

from opsctl_sandbox.ministack.known_properties import Planned
from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.ministack.repairs import names
from opsctl_sandbox.ministack.stacks import Request
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_FAILED = (
    "The following hook(s)/validation failed: [{}]. To troubleshoot Early Validation errors, use "
    "the DescribeEvents API for detailed failure information."
)
_HOOKS = {
    "PROPERTY_VALIDATION": "AWS::EarlyValidation::PropertyValidation",
    "NAME_CONFLICT_VALIDATION": "AWS::EarlyValidation::ResourceExistenceCheck",
}


class Finding(NamedTuple):
    """What a validation says of a resource, in the order that ministack wants."""

    logical_id: str
    type: str
    validation: str
    path: str
    reason: str


def install() -> None:
    """Let the same findings end a stack operation; ministack has a few of them only.

    Its function gets the parts of a plan one by one: definitions of resources, their order,
    parameters, conditions, mappings, name and id of the stack, and buckets that are the stack's.
    """
    assert callable(stacks._validation_errors)

    def errors(
        definitions: Structure,
        ordered: list[str],
        parameters: Structure,
        conditions: Structure,
        mappings: Structure,
        name: str,
        identifier: str,
        owned: object = frozenset(),
    ) -> list[Finding]:
        stack = cloudformation._stacks.get(name) or {}
        template = {"Resources": dict(definitions), "Mappings": dict(mappings)}
        planned = Planned(template, dict(parameters), dict(conditions), name, identifier)
        return list(_findings(planned, set(stack.get("_resources", ()))))

    stacks._validation_errors = errors


def refused(request: Request, conditions: Structure, order: list[str]) -> bool:
    """End an operation that is refused, before it makes anything."""
    if request.stack.get("_disable_validation"):
        return False
    ended: bool = stacks._fail_property_validation(
        request.stack,
        request.id,
        request.name,
        request.template.get("Resources", {}),
        order,
        request.parameters,
        conditions,
        request.mappings,
        request.disable_rollback,
        previous_stack=request.previous,
    )
    return ended


def validate(call: Call, identifier: str) -> None:
    """Fail a new change set that AWS would not execute. What passes is not judged again."""
    change_set = find(cloudformation._change_sets, identifier)
    change_set["_disable_validation"] = True
    if change_set["ExecutionStatus"] != "AVAILABLE" or call.parameters.get("DisableValidation"):
        return
    added = {
        resource["LogicalResourceId"]
        for change in change_set["Changes"]
        if (resource := change["ResourceChange"])["Action"] == "Add"
    }
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    planned = Planned(
        template,
        parameters,
        engine._evaluate_conditions(template, parameters),
        change_set["StackName"],
        change_set["StackId"],
    )
    findings = list(_findings(planned, set(template.get("Resources", ())) - added))
    if findings:
        hooks = ", ".join(dict.fromkeys(_HOOKS[one.validation] for one in findings))
        change_set |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE"}
        change_set["StatusReason"] = _FAILED.format(hooks)
        change_set["_events"] = [_event(change_set, one) for one in findings]


def _findings(planned: Planned, held: set[str]) -> Iterator[Finding]:
    """Yield every property that AWS would refuse, then every name in use, but for what is held."""
    for name, kind, wrong in planned.violations():
        path = "/".join(("/Resources", name, "Properties", *map(str, wrong.path)))
        yield Finding(name, kind, "PROPERTY_VALIDATION", path, wrong.early)
    for name, kind, properties in planned.resources():
        value = names.named(kind, properties)
        if name not in held and value and names.exists(kind, value):
            path = f"/Resources/{name}/Properties/{names.property_of(kind)}"
            reason = f"Resource of type '{kind}' with identifier '{value}' already exists."
            yield Finding(name, kind, "NAME_CONFLICT_VALIDATION", path, reason)


def _event(change_set: Structure, finding: Finding) -> Structure:
    return {
        "EventId": str(uuid4()),
        "StackId": change_set["StackId"],
        "OperationId": change_set["ChangeSetId"].rpartition("/")[2],
        "OperationType": "CREATE_CHANGESET",
        "OperationStatus": "FAILED",
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": finding.logical_id,
        "ResourceType": finding.type,
        "Timestamp": datetime.now(UTC),
        "ValidationFailureMode": "FAIL",
        "ValidationName": finding.validation,
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": finding.reason,
        "ValidationPath": finding.path,
    }


async def describe_events(call: Call, ministack: Forward) -> Structure:
    """Return a change set's events by its ARN; its name alone is not accepted."""
    name = call.parameters.get("ChangeSetName")
    if not name:
        return await ministack(call.parameters)
    change_set = find(cloudformation._change_sets, name)
    if change_set is None:
        raise Refused("ValidationError", f"ChangeSet [{name}] does not exist")
    return {"OperationEvents": change_set.get("_events", [])}


OPERATIONS: Operations = {("cloudformation", "DescribeEvents"): describe_events}
