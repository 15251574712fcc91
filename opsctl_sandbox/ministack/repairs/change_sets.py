"""Correct ministack's change sets and stacks.

No resource whose condition is false, a definite answer about replacement, no update of a stack in a
wrong state, no IAM resource without its capability.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, stacks

from opsctl_sandbox.ministack import exports, permissions
from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.ministack.repairs import early_validation, parameters
from opsctl_sandbox.ministack.repairs.property_values import with_values
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

# Properties whose change replaces the resource ("Update requires: Replacement" on the type's page
# of the CloudFormation User Guide). For types that are missing here, ministack decides.
REPLACING: Mapping[str, frozenset[str]] = {
    "AWS::CloudWatch::Alarm": frozenset({"AlarmName"}),
    "AWS::EC2::SecurityGroup": frozenset({"GroupDescription", "GroupName", "VpcId"}),
    "AWS::ECS::Service": frozenset(
        {"Cluster", "DeploymentController", "Role", "SchedulingStrategy", "ServiceName"}
    ),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName"}),
}
# Properties whose change replaces the resource or not, depending on the change.
_DEPENDS: Mapping[str, frozenset[str]] = {"AWS::ECS::Service": frozenset({"LaunchType"})}
# Types for which every change except of tags makes a new revision.
_ALWAYS = frozenset({"AWS::ECS::TaskDefinition"})
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_STACK = "AWS::CloudFormation::Stack"
# ministack's sentence for a deletion that AWS would take back.
_IMPORTED = re.compile(r"Export (?P<export>\S+) is imported by stack .+")
_DESCRIBED = 100  # resources that DescribeStackResources returns at most
_UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
    | {"IMPORT_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}
)


def install() -> None:
    """Make ministack require capabilities, and give each operation its first reason.

    By itself it requires them only when it checks IAM. Source of the reason:
    https://github.com/ansible/ansible/pull/63008
    """
    assert handlers._capabilities_enforced() in (True, False)
    handlers._capabilities_enforced = lambda: True
    add = stacks._add_event

    def add_event(
        stack: str,
        name: str,
        logical_id: str,
        kind: str,
        status: str,
        reason: str = "",
        *more: Any,
        **named: Any,
    ) -> None:
        if kind == _STACK and status in _BEGINNINGS:
            reason = reason or "User Initiated"
        add(stack, name, logical_id, kind, status, reason, *more, **named)

    for module in (stacks, handlers, changesets):
        module._add_event = add_event


async def create_stack(call: Call, ministack: Forward) -> Structure:
    stack = _stack(call, call.parameters["StackName"])
    if stack.get("StackStatus") == "ROLLBACK_COMPLETE":
        raise Refused("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists")
    return await ministack(call.parameters)


async def delete_stack(call: Call, ministack: Forward) -> Structure:
    """Refuse to delete a stack during an update; during a creation, deleting it ends that."""
    stack = _stack(call, call.parameters["StackName"])
    status = str(stack.get("StackStatus", ""))
    if status.startswith(("UPDATE_", "IMPORT_")) and status.endswith("_IN_PROGRESS"):
        raise Refused(
            "ValidationError",
            f"Stack [{stack['StackId']}] cannot be deleted while in status {status}",
        )
    try:
        return await ministack(call.parameters)
    except Refused as refused:
        # The call itself is no error on AWS:
        # https://github.com/boto/boto3/issues/4192, https://github.com/aws/aws-cdk/issues/604
        if not (used := _IMPORTED.fullmatch(refused.message)):
            raise
        _keep(stack, used["export"], call.parameters.get("ClientRequestToken"))
        return {}


def _keep(stack: dict[str, Any], export: str, token: str | None) -> None:
    """Give a stack whose export is in use the status that it had, a moment after its deletion."""
    status = stack["StackStatus"]
    reason = exports.in_use(export, exports.users(export, stack["StackName"]))
    began = stacks.CLIENT_REQUEST_TOKEN.set(token or "")
    for step, why in (("DELETE_IN_PROGRESS", "User Initiated"), (status, reason)):
        identifier, name = stack["StackId"], stack["StackName"]
        stacks._add_event(identifier, name, name, _STACK, step, why, identifier)
    stacks.CLIENT_REQUEST_TOKEN.reset(began)
    stack["StackStatusReason"] = reason


async def continue_update_rollback(call: Call, ministack: Forward) -> Structure:
    """Treat an empty list of resources to skip as no list."""
    request = dict(call.parameters)
    if not request.get("ResourcesToSkip"):
        request.pop("ResourcesToSkip", None)
    return await ministack(request)


async def create_change_set(call: Call, ministack: Forward) -> Structure:
    answer = await _create_change_set(call, ministack)
    change_set = find(cloudformation._change_sets, answer["Id"])
    change_set["_role"] = call.parameters.get("RoleARN")
    _keep_outputs(change_set, _stack(call, call.parameters["StackName"]))
    early_validation.validate(call, answer["Id"])
    return answer


def _keep_outputs(change_set: dict[str, Any], stack: dict[str, Any]) -> None:
    """Let a change set that changes only outputs be executed: it has no changes, and is no failure.

    Source: https://github.com/aws/aws-cdk/pull/2029
    """
    before, after = (one.get("_template") or {} for one in (stack, change_set))
    nothing = "didn't contain changes" in (change_set["StatusReason"] or "")
    if nothing and before and before.get("Outputs") != after.get("Outputs"):
        change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"}
        change_set["StatusReason"] = ""


async def _create_change_set(call: Call, ministack: Forward) -> Structure:
    request = call.parameters
    stack = _stack(call, request["StackName"])
    status = str(stack.get("StackStatus", "DELETE_COMPLETE"))
    if request.get("ChangeSetType", "UPDATE") != "CREATE":
        if status not in _UPDATABLE:
            raise Refused(
                "ValidationError",
                f"Stack:{stack['StackId']} is in {status} state and can not be updated.",
            )
        return await ministack(request)
    if status not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        raise Refused(
            "ValidationError",
            f"Stack [{stack['StackName']}] already exists and cannot be created again with the "
            f"changeSet [{request['ChangeSetName']}].",
        )
    if status == "DELETE_COMPLETE":
        return await ministack(request)
    return await _joining(stack, call, ministack)


async def _joining(stack: dict[str, Any], call: Call, ministack: Forward) -> Structure:
    """Add a change set to a stack that is only reviewed: such a stack exists once, with one id.

    ministack would replace the stack each time, or lose it when it refuses.
    """
    name, identifier = stack["StackName"], stack["StackId"]
    try:
        answer = await ministack({**call.parameters, "StackName": name})
    finally:
        cloudformation._stacks._data[call.account, call.region, name] = stack
    cloudformation._stack_events._data.pop((call.account, call.region, answer["StackId"]), None)
    change_set = find(cloudformation._change_sets, answer["Id"])
    change_set["StackId"] = identifier
    return {**answer, "StackId": identifier}


async def execute_change_set(call: Call, ministack: Forward) -> Structure:
    """Execute a change set once, and only while it is valid."""
    request = call.parameters
    change_set = _change_set(request["ChangeSetName"], request.get("StackName", ""))
    if change_set and change_set["Status"] != "CREATE_COMPLETE":
        raise _not_executable(change_set, f"status of [{change_set['Status']}]")
    if change_set and change_set["ExecutionStatus"] != "AVAILABLE":
        status = change_set["ExecutionStatus"]
        raise _not_executable(change_set, f"execution status of [{status}]")
    permissions.act_for_role((change_set or {}).get("_role") or "")
    return await ministack(request)


def _not_executable(change_set: Structure, status: str) -> Refused:
    return Refused(
        "InvalidChangeSetStatus",
        f"ChangeSet [{change_set['ChangeSetId']}] cannot be executed in its current {status}",
    )


def _change_set(name: str, stack: str) -> dict[str, Any] | None:
    """Return a change set by its ARN, or by its name and the stack's name or id."""
    for value in cloudformation._change_sets._data.values():
        if name == value["ChangeSetId"]:
            return dict(value)
        if name == value["ChangeSetName"] and stack in (value["StackName"], value["StackId"]):
            return dict(value)
    return None


async def describe_change_set(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    change_set = find(cloudformation._change_sets, answer["ChangeSetId"]) or {}
    answer = parameters.with_names(answer, change_set.get("_resolved_params", {}))
    absent = _absent(change_set)
    held = _stack(call, answer["StackId"]).get("_resources", {})
    kept: list[Structure] = []
    for change in answer.get("Changes", ()):
        resource = change.get("ResourceChange")
        if resource:
            resource = _conditioned(resource, absent, held)
            if resource and change_set and call.parameters.get("IncludePropertyValues"):
                resource = with_values(resource, change_set, held)
            change = {**change, "ResourceChange": decided(resource)} if resource else None
        if change:
            kept.append(change)
    return {**answer, "Changes": kept}


def _conditioned(
    resource: Structure, absent: Collection[str], held: Collection[str]
) -> Structure | None:
    """Return a resource's change after its condition is applied; None if it never exists."""
    name, action = resource.get("LogicalResourceId"), resource.get("Action")
    if action not in ("Add", "Modify"):
        return resource
    plain = {
        key: value
        for key, value in resource.items()
        if key not in ("Details", "Replacement", "Scope")
    }
    if name in absent:
        return {**plain, "Action": "Remove"} if name in held else None
    return resource if name in held or action == "Add" else {**plain, "Action": "Add"}


async def list_change_sets(call: Call, ministack: Forward) -> Structure:
    """Also accept the stack's id, and refuse a stack that does not exist."""
    stack = str(call.parameters["StackName"])
    name = stack.split("/")[1] if stack.startswith("arn:") else stack
    if find(cloudformation._stacks, name) is None:
        raise Refused("ValidationError", f"Stack [{stack}] does not exist")
    return await ministack({**call.parameters, "StackName": name})


async def list_stack_resources(call: Call, ministack: Forward) -> Structure:
    """Also say why a resource has its status."""
    answer = await ministack(call.parameters)
    held = _stack(call, str(call.parameters["StackName"])).get("_resources", {})
    summaries = [
        {**one, "ResourceStatusReason": reason}
        if (reason := held.get(one["LogicalResourceId"], {}).get("ResourceStatusReason"))
        else one
        for one in answer.get("StackResourceSummaries", ())
    ]
    return {**answer, "StackResourceSummaries": summaries}


async def describe_stack_resources(call: Call, ministack: Forward) -> Structure:
    """Also accept a resource's own name, and find its stack; and return the first 100."""
    answer = await _all_resources(call, ministack)
    return {**answer, "StackResources": answer.get("StackResources", [])[:_DESCRIBED]}


async def _all_resources(call: Call, ministack: Forward) -> dict[str, Any]:
    request = dict(call.parameters)
    physical_id = request.pop("PhysicalResourceId", None)
    if not physical_id or request.get("StackName"):
        return await ministack(call.parameters)
    for stack in cloudformation._stacks._data.values():
        mine = f":{call.region}:{call.account}:" in stack["StackId"]
        names = [one.get("PhysicalResourceId") for one in stack.get("_resources", {}).values()]
        if mine and physical_id in names:
            return await ministack({**request, "StackName": stack["StackName"]})
    raise Refused("ValidationError", f"Stack for {physical_id} does not exist")


def decided(resource: Structure) -> dict[str, Any]:
    """Return the change with `Conditional` replaced by what the type's rules say."""
    kind = str(resource.get("ResourceType"))
    known = kind in REPLACING or kind in _ALWAYS
    if not known or resource.get("Replacement") != "Conditional":
        return dict(resource)
    details = [_with_word(kind, detail) for detail in resource.get("Details", ())]
    words = {detail["Target"].get("RequiresRecreation") for detail in details}
    replacement = "True" if "Always" in words else "False"
    if replacement == "False" and "Conditionally" in words:
        replacement = "Conditional"
    return {**resource, "Details": details, "Replacement": replacement}


def _with_word(kind: str, detail: Structure) -> dict[str, Any]:
    target = detail.get("Target", {})
    name = target.get("Name")
    if target.get("Attribute") != "Properties":
        return {**detail, "Target": {**target, "RequiresRecreation": "Never"}}
    replaces = name != "Tags" if kind in _ALWAYS else name in REPLACING[kind]
    word = "Always" if replaces else "Never"
    if name in _DEPENDS.get(kind, ()):
        word = "Conditionally"
    return {**detail, "Target": {**target, "RequiresRecreation": word}}


def replaced(kind: str, old: Structure, new: Structure) -> bool:
    """Return whether this change makes a new physical resource, for the types of `REPLACING`."""
    return any(old.get(name) != new.get(name) for name in REPLACING.get(kind, ()))


def _absent(change_set: Structure) -> set[str]:
    """Return the logical ids of the resources whose condition is false."""
    if not change_set:
        return set()
    template = change_set["_template"]
    conditions = engine._evaluate_conditions(template, change_set["_resolved_params"])
    return {
        name
        for name, resource in template.get("Resources", {}).items()
        if conditions.get(resource.get("Condition"), True) is False
    }


def _stack(call: Call, name: str) -> dict[str, Any]:
    for stack in cloudformation._stacks._data.values():
        mine = f":{call.region}:{call.account}:" in stack["StackId"]
        if mine and name in (stack["StackName"], stack["StackId"]):
            record: dict[str, Any] = stack
            return record
    return {}


OPERATIONS: Operations = {
    ("cloudformation", "CreateChangeSet"): create_change_set,
    ("cloudformation", "ContinueUpdateRollback"): continue_update_rollback,
    ("cloudformation", "CreateStack"): create_stack,
    ("cloudformation", "DeleteStack"): delete_stack,
    ("cloudformation", "DescribeChangeSet"): describe_change_set,
    ("cloudformation", "ExecuteChangeSet"): execute_change_set,
    ("cloudformation", "DescribeStackResources"): describe_stack_resources,
    ("cloudformation", "ListChangeSets"): list_change_sets,
    ("cloudformation", "ListStackResources"): list_stack_resources,
}
