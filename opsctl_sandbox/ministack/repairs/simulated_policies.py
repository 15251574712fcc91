"""Judge what a caller may do on every resource and with the conditions that the call names.

ministack looks at the first resource only, at no condition, and judges roles that do not exist.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services import iam

from opsctl_sandbox.ministack import permissions
from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_ENTITIES = {"user": iam._users, "group": iam._groups, "role": iam._roles}


async def simulate_principal_policy(call: Call, ministack: Forward) -> Structure:
    parameters = call.parameters
    _require_entity(parameters["PolicySourceArn"])
    conditions = {
        entry["ContextKeyName"].lower(): entry["ContextKeyValues"][0]
        for entry in parameters.get("ContextEntries", ())
        if entry.get("ContextKeyName") and entry.get("ContextKeyValues")
    }
    results = [
        _result(action, parameters.get("ResourceArns") or ["*"], conditions, call)
        for action in parameters["ActionNames"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _require_entity(arn: str) -> None:
    kind, _, name = arn.rpartition(":")[2].partition("/")
    name = name.rpartition("/")[2]
    known = find(_ENTITIES[kind], name)
    if known is None or known["Arn"] != arn:
        sentence = f"The {kind} with name {name} cannot be found."
        raise Refused("NoSuchEntity", sentence, status=404)


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
