"""Find out why CloudFormation refused a change set; its status says only that validation failed.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
"""

from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.aws.failed_calls import DENIED
from opsctl.errors import OpsError
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

_EXISTS = "already exists"


def refusal(cloudformation: "CloudFormationClient", stack: Stack, id: str, reason: str) -> OpsError:
    """Return the error. `id` is the change set's ARN; AWS does not accept its name alone."""
    hint = "correct opsctl.yaml, then run: opsctl config check"
    try:
        reasons = _reasons(cloudformation, id)
    except cloudformation.exceptions.ClientError as error:
        if aws.fault(error) != "refused":
            raise
        reasons = ()
        hint = "this Region or endpoint has no DescribeEvents, which tells the reason"
        if aws.code(error) in DENIED:
            hint = "allow this caller `cloudformation:DescribeEvents`, which tells the reason"
    if any(_EXISTS in one for one in reasons):
        # CloudFormation refuses to take over what another stack holds.
        imported = "what another stack holds cannot be taken over"
        more = imported if stack.imports else f"or run: opsctl {stack.command} up --import"
        hint = f"choose other names in opsctl.yaml; {more}"
    text = "; ".join(reasons or (reason,))
    return OpsError(f"CloudFormation refused the plan for `{stack.name}`: {text}", hint=hint)


def _reasons(cloudformation: "CloudFormationClient", id: str) -> tuple[str, ...]:
    events: list[Any] = []
    given: dict[str, Any] = {"ChangeSetName": id, "Filters": {"FailedEvents": True}}
    while True:
        page = cloudformation.describe_events(**given)
        events += page.get("OperationEvents", ())
        if "NextToken" not in page:
            break
        given["NextToken"] = page["NextToken"]
    return tuple(dict.fromkeys(filter(None, map(_text, events))))


def _text(event: Any) -> str:
    """Return for example:

    `LogGroup: Resource of type … already exists (Properties/LogGroupName)`
    """
    reasons = ("ValidationStatusReason", "HookStatusReason", "ResourceStatusReason")
    text = next((event[key] for key in reasons if event.get(key)), "")
    name = event.get("LogicalResourceId", "")
    path = event.get("ValidationPath", "")
    where = f" ({path})" if path and path not in text else ""
    return f"{f'{name}: ' if name else ''}{text}{where}" if text else ""
