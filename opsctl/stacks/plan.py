"""Look, change nothing that runs: a stack's wish becomes a change set."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import Busy, OpsError, TimedOut
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import changes
from opsctl.stacks.changes import ChangeSet
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

    from opsctl.aws import Clients

# CloudFormation takes a template body up to here, and one in S3 up to 1 MB.
MAXIMUM_BODY = 51_200
_DEADLINE = 300.0
# CloudFormation has no code of its own for a stack that is in an operation.
_BUSY = re.compile(r"is in \w+_IN_PROGRESS state and can ?not be updated")
# Two wordings are in use for the same thing; the second comes from CreateChangeSet itself.
_NOTHING = ("didn't contain changes", "No updates are to be performed")


def plan(
    clients: "Clients",
    stack: Stack,
    state: StackState | None,
    *,
    bucket: str | None,
    sleep: Callable[[float], None],
    token: str,
) -> ChangeSet:
    """Create and read a change set called `opsctl-<token>`.

    An empty one is removed again. Raises OpsError when CloudFormation refuses the template, and
    Busy when somebody else has begun to change the stack since `state`.
    """
    cloudformation = clients.cloudformation
    kind = "UPDATE" if state is not None and state.exists else "CREATE"
    name = f"opsctl-{token}"
    try:
        created = cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=name,
            ChangeSetType=kind,  # type: ignore[arg-type]  # one of the literals, chosen above
            ClientToken=token,
            Capabilities=list(stack.capabilities),
            Parameters=_parameters(stack.parameters),
            Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
            **_body(clients, stack, bucket),
        )
    except cloudformation.exceptions.ClientError as error:
        if any(words in aws.message(error) for words in _NOTHING):
            return ChangeSet(id="", stack=stack.name, stack_id="", kind=kind)
        if _BUSY.search(aws.message(error)):
            raise Busy(
                f"somebody else is changing `{stack.name}`",
                hint="run the same command again: it joins what is running",
            ) from error
        raise
    return _read(cloudformation, stack.name, created["Id"], kind, sleep)


def discard(cloudformation: "CloudFormationClient", change_set: ChangeSet) -> None:
    """Remove a change set that will not be executed, and the empty stack it may have made."""
    if not change_set.is_empty:
        cloudformation.delete_change_set(ChangeSetName=change_set.id)
    if change_set.kind == "CREATE" and change_set.stack_id:
        cloudformation.delete_stack(StackName=change_set.stack_id)


def _read(
    cloudformation: "CloudFormationClient",
    stack: str,
    id: str,
    kind: str,
    sleep: Callable[[float], None],
) -> ChangeSet:
    found: Any = _wait(cloudformation, id, sleep)
    reason = found.get("StatusReason", "")
    if found["Status"] == "FAILED":
        change_set = ChangeSet(id=id, stack=stack, stack_id=found.get("StackId", ""), kind=kind)
        discard(cloudformation, change_set)
        if any(words in reason for words in _NOTHING):
            return ChangeSet(id="", stack=stack, stack_id=change_set.stack_id, kind=kind)
        raise OpsError(f"CloudFormation refused the plan for `{stack}`: {reason}")
    listed = list(found.get("Changes", ()))
    while "NextToken" in found:
        found = cloudformation.describe_change_set(
            ChangeSetName=id, NextToken=found["NextToken"], **_with_values(cloudformation)
        )
        listed += found.get("Changes", ())
    return ChangeSet(id, stack, found["StackId"], kind, changes.read(listed))


def _wait(
    cloudformation: "CloudFormationClient", id: str, sleep: Callable[[float], None]
) -> dict[str, Any]:
    waited, pause = 0.0, 0.1
    while waited < _DEADLINE:
        found = cloudformation.describe_change_set(ChangeSetName=id, **_with_values(cloudformation))
        if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return dict(found)
        sleep(pause)
        waited += pause
        pause = min(pause * 1.5, 2.0)
    raise TimedOut(f"the change set {id} is still being made", hint="run the same command again")


def _with_values(cloudformation: "CloudFormationClient") -> dict[str, Any]:
    """Before and after values, where the installed botocore knows them (since April 2024)."""
    shape = cloudformation.meta.service_model.operation_model("DescribeChangeSet").input_shape
    known = shape is not None and "IncludePropertyValues" in shape.members
    return {"IncludePropertyValues": True} if known else {}


def _parameters(parameters: Mapping[str, str | None]) -> list[Any]:
    """None keeps the value that the stack has."""
    return [
        {"ParameterKey": key, "UsePreviousValue": True}
        if value is None
        else {"ParameterKey": key, "ParameterValue": value}
        for key, value in parameters.items()
    ]


def _body(clients: "Clients", stack: Stack, bucket: str | None) -> dict[str, Any]:
    if not stack.template:
        return {"UsePreviousTemplate": True}
    body = stack.template.encode()
    if len(body) <= MAXIMUM_BODY:
        return {"TemplateBody": stack.template}
    if bucket is None:
        raise OpsError(
            f"the template of `{stack.name}` has {len(body):,} bytes, "
            f"and CloudFormation takes {MAXIMUM_BODY:,} without a bucket",
            hint="set `aws.bucket` in opsctl.yaml",
        )
    key = f"opsctl/{stack.name}/{hashlib.sha256(body).hexdigest()}.yaml"
    _upload(clients, bucket, key, body)
    # The Region's own endpoint: a global one may answer with a redirect CloudFormation refuses.
    endpoint = clients.s3.meta.endpoint_url
    return {"TemplateURL": f"{endpoint}/{bucket}/{key}"}


def _upload(clients: "Clients", bucket: str, key: str, body: bytes) -> None:
    s3 = clients.s3
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if aws.code(error) not in ("404", "NoSuchBucket"):
            raise
        where: dict[str, Any] = (
            {}
            if clients.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": clients.region}}
        )
        s3.create_bucket(Bucket=bucket, **where)
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
    s3.put_object(Bucket=bucket, Key=key, Body=body, ServerSideEncryption="AES256")
