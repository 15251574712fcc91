"""Who makes which call. Pure.

`make docs` finds the calls in the code and writes them to actions.json; what changes something
needs a row here, so that nobody gets a right by accident.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from opsctl.aws import iam

# Each may do what the one before it may: look on, release, and build or remove the stacks.
Audience: TypeAlias = Literal["read", "deploy", "operator"]
AUDIENCES: tuple[Audience, ...] = ("read", "deploy", "operator")
_READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Filter", "Lookup")
# The smallest audience of each call that is not plain reading.
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
    # The first release switches the alarms on.
    "cloudwatch EnableAlarmActions": "deploy",
    # A roll mutes what it may ring.
    "cloudwatch PutAlarmMuteRule": "deploy",
    "cloudwatch PutMetricAlarm": "operator",
    "cloudwatch SetAlarmState": "operator",
    "ecr BatchDeleteImage": "deploy",
    # Gives the right to pull and push whatever else is allowed there.
    "ecr GetAuthorizationToken": "deploy",
    "ecs StopServiceDeployment": "deploy",
    "ecs StopTask": "deploy",
    "ecs UpdateContainerInstancesState": "operator",
    "ecs UpdateService": "deploy",
    "elasticache CreateSnapshot": "operator",
    # It asks what somebody may do, and tries nothing.
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
    # Locks and releases; secrets are the operator's, which policy.py adds.
    "ssm PutParameter": "deploy",
}
# What the Docker engine asks of the registry, with the token that opsctl gives it.
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
    """Raises LookupError for a call that changes something and has no row."""
    known = _AUDIENCES.get(call)
    if known is not None:
        return known
    if call.split()[1].startswith(_READS) or not iam.action(call):
        return "read"
    raise LookupError(f"who may call {call}? Give it a row in opsctl/permissions/calls.py")


def rows() -> frozenset[str]:
    """Every call that has a row, for the test that none is left over."""
    return frozenset(_AUDIENCES)
