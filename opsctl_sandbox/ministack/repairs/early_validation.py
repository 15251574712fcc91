"""Early validation: before it creates a change set, CloudFormation checks whether the names of new
resources are free.

The change set's status says only that a validation failed; the reason is an event of the operation.
Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine

from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.ministack.repairs import names
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_FAILED = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To "
    "troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure "
    "information."
)


def validate(call: Call, identifier: str) -> None:
    """Fail a new change set that would create something that exists."""
    change_set = find(cloudformation._change_sets, identifier)
    if change_set["ExecutionStatus"] != "AVAILABLE" or call.parameters.get("DisableValidation"):
        return
    events = [_event(change_set, *conflict) for conflict in _conflicts(change_set)]
    if events:
        change_set |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE"}
        change_set |= {"StatusReason": _FAILED, "_events": events}


def _conflicts(change_set: Structure) -> Iterator[tuple[str, str, str, str]]:
    """Yield (logical id, type, property, value) of every name in use."""
    name, stack = change_set["StackName"], change_set["StackId"]
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    conditions = engine._evaluate_conditions(template, parameters)
    resolved = changesets._resolve_props_for_diff(template, parameters, name, stack)["Resources"]
    for change in change_set["Changes"]:
        resource = change["ResourceChange"]
        logical_id, kind = resource["LogicalResourceId"], resource["ResourceType"]
        definition = resolved.get(logical_id, {})
        here = conditions.get(definition.get("Condition"), True)
        key = names.property_of(kind)
        if resource["Action"] != "Add" or not key or not here:
            continue
        value = (definition.get("Properties") or {}).get(key)
        if isinstance(value, str) and names.exists(kind, value):
            yield logical_id, kind, key, value


def _event(change_set: Structure, logical_id: str, kind: str, key: str, value: str) -> Structure:
    reason = f"Resource of type '{kind}' with identifier '{value}' already exists."
    return {
        "EventId": str(uuid4()),
        "StackId": change_set["StackId"],
        "OperationId": change_set["ChangeSetId"].rpartition("/")[2],
        "OperationType": "CREATE_CHANGESET",
        "OperationStatus": "FAILED",
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": logical_id,
        "ResourceType": kind,
        "Timestamp": datetime.now(UTC),
        "ValidationFailureMode": "FAIL",
        "ValidationName": "NAME_CONFLICT_VALIDATION",
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": reason,
        "ValidationPath": f"/Resources/{logical_id}/Properties/{key}",
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
