"""Why an Auto Scaling group has no instances: a stack's event only says that nobody signalled."""

from typing import TYPE_CHECKING

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient

TYPE = "AWS::AutoScaling::AutoScalingGroup"


def refusal(autoscaling: "AutoScalingClient", group: str) -> str:
    """What EC2 said at the last launch that failed; empty when none did, or it cannot be asked.

    A rollback deletes the group, so deleted ones are asked, too.
    """

    def newest() -> str:
        found = autoscaling.describe_scaling_activities(
            AutoScalingGroupName=group, IncludeDeletedGroups=True, MaxRecords=20
        )["Activities"]
        failed = (each.get("StatusMessage", "") for each in found if each["StatusCode"] == "Failed")
        return next(failed, "")

    return aws.optional(newest, "")
