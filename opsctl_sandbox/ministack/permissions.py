"""Decide as IAM does what the policies of a user or role allow: by action, by each resource that
the call names, and by condition.

For calls that name no resource known here, the resource of a statement is ignored: docs/sandbox.md
has the list.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator

from opsctl_sandbox.ministack import arns
from opsctl_sandbox.wire.calls import Call, Structure

# Signing name -> IAM's prefix, if it differs.
_PREFIXES = {"monitoring": "cloudwatch"}
_SIGNED_AS = {prefix: service for service, prefix in _PREFIXES.items()}
# S3's actions are named after what they act on.
_S3 = {
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
_ANY = "*"
# On whose behalf this request, and whatever it begins, is done; '' for one who may do everything.
_BEHALF: ContextVar[str] = ContextVar("behalf", default="")


def act_for(principal: str, role: str = "") -> None:
    """From here on, in this request: for this user or session, or for the role that it names."""
    if role:
        parts = role.split(":")
        parts[2], parts[5] = "sts", f"assumed-role/{role.rpartition('/')[2]}/AWSCloudFormation"
        principal = ":".join(parts)
    _BEHALF.set(principal)


def act_for_role(role: str) -> None:
    """The same, where the request is not of one who may do everything."""
    if role and _BEHALF.get():
        act_for("", role)


def lacking(action: str, parameters: Structure, region: str) -> str:
    """Return AWS's sentence when nothing allows a call with these parameters to whom this is done
    for; else ''.
    """
    principal = _BEHALF.get()
    if not principal:
        return ""
    prefix, _, operation = action.partition(":")
    service = _SIGNED_AS.get(prefix, prefix)
    return refusal(principal, Call(service, operation, parameters, region, account_of(principal)))


def account() -> str:
    """Return the account of whom this is done for."""
    return account_of(_BEHALF.get())


def account_of(principal: str) -> str:
    return principal.split(":")[4] if principal else ""


def refusal(principal: str, call: Call) -> str:
    """Return AWS's sentence when nothing allows the call to this user or session, else ''."""
    if call.service == "sts":
        # Asking who one is needs no permission; a role's trust policy is not checked.
        return ""
    name = _S3.get(call.operation, call.operation) if call.service == "s3" else call.operation
    action = f"{_PREFIXES.get(call.service, call.service)}:{name}"
    statements = _statements(principal)
    contexts = (_context(principal, action, one, call) for one in arns.of(call) or [""])
    return next(filter(None, (_refused(context, statements) for context in contexts)), "")


def decision(
    principal: str, action: str, resource: str, conditions: Mapping[str, Any], call: Call
) -> str:
    """Return the policy simulator's word for this action on this resource."""
    context = replace(_context(principal, action, resource, call), service_context=conditions)
    statements = _statements(principal)
    if _matches(context, statements, "Deny"):
        return "explicitDeny"
    return "allowed" if _matches(context, statements, "Allow") else "implicitDeny"


def _statements(principal: str) -> list[iam_evaluator.ParsedStatement]:
    return [one for policy in _policies(principal) for one in policy]


def _refused(
    context: iam_evaluator.EvalContext, statements: list[iam_evaluator.ParsedStatement]
) -> str:
    """Return AWS's sentence when nothing allows the action, or something denies it; else ''."""
    who = (
        f"User: {context.principal_arn} is not authorized to perform: {context.action} on resource:"
        f" {context.resource_arn or _ANY}"
    )
    if _matches(context, statements, "Deny"):
        return f"{who} with an explicit deny in an identity-based policy"
    if not _matches(context, statements, "Allow"):
        return f"{who} because no identity-based policy allows the {context.action} action"
    return ""


def _matches(
    context: iam_evaluator.EvalContext,
    statements: list[iam_evaluator.ParsedStatement],
    effect: str,
) -> bool:
    if context.resource_arn:
        return iam_evaluator._first_match(context, statements, effect) is not None
    return any(
        one.effect == effect
        and iam_evaluator._action_matches(context.action, one.actions, one.not_actions)
        and (effect == "Allow" or _ANY in one.resources)
        and iam_evaluator._conditions_met(one.conditions, context)
        for one in statements
    )


def _context(principal: str, action: str, resource: str, call: Call) -> iam_evaluator.EvalContext:
    assumed = ":assumed-role/" in principal
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole" if assumed else "User",
        principal_account=call.account,
        action=action,
        resource_arn=resource,
        region=call.region,
        service_context=_conditions(call),
    )


def _conditions(call: Call) -> Mapping[str, Any]:
    """Return the condition keys that opsctl's policies may use."""
    if call.service != "ecs":
        return {}
    return {"ecs:cluster": arns.cluster(call)}


def _policies(principal: str) -> list[list[iam_evaluator.ParsedStatement]]:
    """Return the policies of `arn:aws:iam::1:user/NAME`, `arn:aws:iam::1:role/NAME` or
    `arn:aws:sts::1:assumed-role/NAME/SESSION`.
    """
    account, _, path = principal.split(":", 4)[4].partition(":")
    kind, *names = path.split("/")
    policies: list[list[iam_evaluator.ParsedStatement]]
    if kind == "assumed-role":
        policies = iam_evaluator._gather_role_policies(names[0], account)
    elif kind == "role":
        policies = iam_evaluator._gather_role_policies(names[-1], account)
    else:
        policies = iam_evaluator._gather_user_policies(names[-1], account)
    return policies
