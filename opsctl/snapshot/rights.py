"""Read from IAM's policy simulator what this caller may do. Nothing is tried for real."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from opsctl import aws
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient

    from opsctl.snapshot.identity import Identity

_AT_ONCE = 50
# An action, and the resources on some of which it may not be done.
Refusal: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Actions on the same resources. `context` holds condition keys and their values."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    context: tuple[tuple[str, str], ...] = ()


def principal(iam: "IAMClient", caller: "Identity") -> str:
    """Return the ARN of the caller's user or role, with the path that a session's ARN leaves out.

    Roles of IAM Identity Center have one. Without the right to look, the path stays out.
    """
    if caller.principal == caller.arn:
        return caller.arn
    try:
        return iam.get_role(RoleName=caller.principal.rpartition("/")[2])["Role"]["Arn"]
    except Exception as error:
        if aws.fault(error) != "refused":
            raise
        return caller.principal


def refused(iam: "IAMClient", principal: str, attempts: Iterable[Attempt]) -> frozenset[Refusal]:
    """Return what `principal` (ARN of a user or role) may not do."""
    calls = [
        partial(_refused, iam, principal, attempt, attempt.actions[start : start + _AT_ONCE])
        for attempt in attempts
        for start in range(0, len(attempt.actions), _AT_ONCE)
    ]
    return frozenset().union(*together(calls))


def _refused(
    iam: "IAMClient", principal: str, attempt: Attempt, actions: Sequence[str]
) -> frozenset[Refusal]:
    context: list[Any] = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in attempt.context
    ]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=list(actions),
        ResourceArns=list(attempt.resources),
        ContextEntries=context,
    )
    results: Iterable[Mapping[str, Any]] = (
        result for page in pages for result in page.get("EvaluationResults", ())
    )
    return frozenset(
        (result["EvalActionName"], attempt.resources)
        for result in results
        if result["EvalDecision"] != "allowed"
    )
