"""What CloudFormation says of a stack now, and whether opsctl may touch it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import OpsError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

# Statuses in which the stack holds nothing worth updating: it is removed and made anew.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
MEANING = {
    "REVIEW_IN_PROGRESS": "a change set was made, nothing was created yet",
    "CREATE_FAILED": "the first creation failed and was not rolled back",
    "ROLLBACK_COMPLETE": "the first creation failed and was rolled back; only a new one can follow",
    "ROLLBACK_FAILED": "the first creation failed, and so did removing what it had made",
    "DELETE_FAILED": "the deletion stopped half-way",
    "UPDATE_ROLLBACK_COMPLETE": "the last update failed and was rolled back",
    "UPDATE_ROLLBACK_FAILED": "the last update failed, and so did rolling it back",
    "UPDATE_FAILED": "the last update failed and was left as it is",
}


@dataclass(frozen=True, slots=True)
class StackState:
    id: str
    name: str
    status: str
    reason: str = ""
    changed: datetime | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False

    @property
    def exists(self) -> bool:
        """Whether there is a stack to update; REVIEW_IN_PROGRESS is only the wish for one."""
        return self.status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def ours(self) -> bool:
        return "opsctl:name" in self.tags


def describe(cloudformation: "CloudFormationClient", name: str) -> StackState | None:
    """None when there is no such stack."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        # CloudFormation has no code of its own for an unknown stack.
        if aws.code(error) == "ValidationError" and "does not exist" in aws.message(error):
            return None
        raise
    return _state(found[0]) if found else None


def outputs(cloudformation: "CloudFormationClient", name: str, *, hint: str) -> Mapping[str, str]:
    """The outputs of a stack that must exist. Raises OpsError with `hint` when it does not."""
    state = describe(cloudformation, name)
    if state is None or not state.exists:
        raise OpsError(f"there is no stack `{name}`", hint=hint)
    return state.outputs


def resource(cloudformation: "CloudFormationClient", stack: str, logical_id: str) -> str:
    """The physical id of one resource."""
    found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    return found["StackResourceDetail"]["PhysicalResourceId"]


def way_out(name: str, status: str) -> str:
    """What to do about an operation that ended in `status`, as a hint."""
    if status == "UPDATE_ROLLBACK_FAILED":
        command = f"aws cloudformation continue-update-rollback --stack-name {name}"
        return f"{command}, then run this again"
    return "solve that, then run the same command again"


def require_ours(state: StackState) -> None:
    if not state.ours:
        raise OpsError(
            f"stack `{state.name}` was not made by opsctl (it lacks the tag opsctl:name)",
            hint="choose another `name` in opsctl.yaml, or remove that stack yourself",
        )


def _state(found: Any) -> StackState:
    return StackState(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        changed=found.get("LastUpdatedTime") or found.get("CreationTime"),
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        parameters={
            each["ParameterKey"]: each.get("ParameterValue", "")
            for each in found.get("Parameters", ())
        },
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
        protected=found.get("EnableTerminationProtection", False),
    )
