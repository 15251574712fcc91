"""Which audience makes which call. Pure.

`make docs` finds the calls in the code and writes them to actions.json. A call that changes
something needs a row here, so that nobody gets a right by accident.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from opsctl import aws
from opsctl.aws import iam

# Each audience may do what the previous one may: read; release; build or remove the stacks.
Audience: TypeAlias = Literal["read", "deploy", "operator"]
AUDIENCES: tuple[Audience, ...] = ("read", "deploy", "operator")
# The smallest audience of each call that does not just read.
_AUDIENCES: Mapping[str, Audience] = {
    "autoscaling CreateOrUpdateTags": "operator",
    "autoscaling DeleteTags": "operator",
    "autoscaling SetDesiredCapacity": "operator",
    "autoscaling TerminateInstanceInAutoScalingGroup": "operator",
    "cloudformation CancelUpdateStack": "deploy",
    "cloudformation ContinueUpdateRollback": "deploy",
    "cloudformation CreateChangeSet": "deploy",
    "cloudformation DeleteChangeSet": "deploy",
    "cloudformation DeleteStack": "operator",
    "cloudformation ExecuteChangeSet": "deploy",
    "cloudformation RollbackStack": "deploy",
    # The first release switches the alarms' actions on.
    "cloudwatch EnableAlarmActions": "deploy",
    # A roll mutes the alarms that it may set off.
    "cloudwatch PutAlarmMuteRule": "deploy",
    "cloudwatch PutMetricAlarm": "operator",
    "cloudwatch SetAlarmState": "operator",
    "ecr BatchDeleteImage": "deploy",
    # Allows pull and push of everything else that is allowed there.
    "ecr GetAuthorizationToken": "deploy",
    "ecs StopServiceDeployment": "deploy",
    "ecs StopTask": "deploy",
    "ecs UpdateContainerInstancesState": "operator",
    "ecs UpdateService": "deploy",
    "elasticache CreateSnapshot": "operator",
    # This only simulates; it tries nothing.
    "iam SimulatePrincipalPolicy": "read",
    "logs StartLiveTail": "read",
    "logs StartQuery": "read",
    "logs StopQuery": "read",
    "s3 CreateBucket": "operator",
    "s3 PutObject": "operator",
    "s3 PutPublicAccessBlock": "operator",
    "secretsmanager CreateSecret": "operator",
    "secretsmanager GetSecretValue": "operator",
    "secretsmanager PutSecretValue": "operator",
    "secretsmanager RestoreSecret": "operator",
    "ssm DeleteParameters": "deploy",
    # For locks and releases. policy.py adds the operator's secrets.
    "ssm PutParameter": "deploy",
}
# What the Docker engine calls in the registry, with opsctl's token.
DOCKER: Mapping[str, Audience] = {
    "ecr:BatchCheckLayerAvailability": "deploy",
    "ecr:BatchGetImage": "deploy",
    "ecr:CompleteLayerUpload": "deploy",
    "ecr:GetDownloadUrlForLayer": "deploy",
    "ecr:InitiateLayerUpload": "deploy",
    "ecr:PutImage": "deploy",
    "ecr:UploadLayerPart": "deploy",
}


def audience(call: str) -> Audience:
    """Return who makes the call. Raises LookupError for a changing call without a row."""
    known = _AUDIENCES.get(call)
    if known is not None:
        return known
    if call.split()[1].startswith(aws.READS) or not iam.action(call):
        return "read"
    raise LookupError(f"who may call {call}? Give it a row in opsctl/permissions/calls.py")


def rows() -> frozenset[str]:
    """Return every call that has a row, for the test that every row is used."""
    return frozenset(_AUDIENCES)
