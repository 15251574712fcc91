"""Judge what a caller may do on every resource and with the conditions that the call names.

ministack looks at the first resource only, and at no condition.
"""

from collections.abc import Mapping
from typing import Any

from opsctl_sandbox.ministack import permissions
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Structure


async def simulate_principal_policy(call: Call, ministack: Forward) -> Structure:
    parameters = call.parameters
    conditions = {
        entry["ContextKeyName"].lower(): entry["ContextKeyValues"][0]
        for entry in parameters.get("ContextEntries", ())
    }
    results = [
        _result(action, parameters.get("ResourceArns") or ["*"], conditions, call)
        for action in parameters["ActionNames"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _result(
    action: str, resources: list[str], conditions: Mapping[str, Any], call: Call
) -> Mapping[str, Any]:
    principal = str(call.parameters["PolicySourceArn"])
    decisions = {
        resource: permissions.decision(principal, action, resource, conditions, call)
        for resource in resources
    }
    worst = next((one for one in decisions.values() if one != "allowed"), "allowed")
    return {
        "EvalActionName": action,
        "EvalResourceName": resources[0],
        "EvalDecision": worst,
        "ResourceSpecificResults": [
            {"EvalResourceName": resource, "EvalResourceDecision": decision}
            for resource, decision in decisions.items()
        ],
    }


OPERATIONS: Operations = {("iam", "SimulatePrincipalPolicy"): simulate_principal_policy}
