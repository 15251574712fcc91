"""Describe a stack's parameters as AWS does: an SSM parameter type keeps the given name, with its
present value beside it.
"""

from typing import Any

from ministack.services import cloudformation

from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Structure


async def describe_stacks(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    stacks = [with_names(one, _resolved_of_stack(one["StackName"])) for one in answer["Stacks"]]
    return {**answer, "Stacks": stacks}


def with_names(described: Structure, resolved: Structure) -> dict[str, Any]:
    """Return a stack's or change set's description with its parameters as they were given."""
    named = [_as_given(one, resolved.get(one["ParameterKey"])) for one in described["Parameters"]]
    return {**described, "Parameters": named}


def _as_given(parameter: Structure, resolved: Structure | None) -> Structure:
    if not resolved or "SsmName" not in resolved:
        return parameter
    return {
        **parameter,
        "ParameterValue": resolved["SsmName"],
        "ResolvedValue": resolved["Value"],
    }


def _resolved_of_stack(name: str) -> Structure:
    stack = find(cloudformation._stacks, name) or {}
    resolved: Structure = stack.get("_resolved_params", {})
    return resolved


OPERATIONS: Operations = {("cloudformation", "DescribeStacks"): describe_stacks}
