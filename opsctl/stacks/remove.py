"""Take a stack down: what will go, what stands in the way, and the call that does it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient


@dataclass(frozen=True, slots=True)
class Resource:
    logical_id: str
    physical_id: str
    resource_type: str
    status: str


def resources(cloudformation: "CloudFormationClient", stack: str) -> tuple[Resource, ...]:
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return tuple(
        Resource(
            each["LogicalResourceId"],
            each.get("PhysicalResourceId", ""),
            each["ResourceType"],
            each["ResourceStatus"],
        )
        for each in found
        if each["ResourceStatus"] != "DELETE_COMPLETE"
    )


def importers(cloudformation: "CloudFormationClient", exports: list[str]) -> tuple[str, ...]:
    """The stacks that use one of these exports, and so keep the stack from being deleted."""
    using: set[str] = set()
    for name in exports:
        try:
            using.update(cloudformation.list_imports(ExportName=name)["Imports"])
        except cloudformation.exceptions.ClientError as error:
            if aws.code(error) != "ValidationError":  # "not imported by any stack"
                raise
    return tuple(sorted(using))


def remove(cloudformation: "CloudFormationClient", stack_id: str, *, token: str) -> None:
    cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token)
