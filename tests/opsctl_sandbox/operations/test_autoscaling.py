"""Auto Scaling groups, their instances and target health over HTTP: pages, filters, refusals."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until
from tests.opsctl_sandbox.operations.ecs.test_tasks import instance


def groups(autoscaling: Any, name: str) -> None:
    """Three empty groups, tagged with their number."""
    autoscaling.create_launch_configuration(
        LaunchConfigurationName=name, ImageId="ami-0ec52023000000001", InstanceType="t3.small"
    )
    for number in range(3):
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=f"{name}-{number}",
            LaunchConfigurationName=name,
            MinSize=0,
            MaxSize=3,
            AvailabilityZones=["us-east-1a"],
            Tags=[{"Key": name, "Value": str(number), "PropagateAtLaunch": True}],
        )


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def test_groups_come_in_pages_and_are_filtered_by_tag(connect: Connect, unique: str) -> None:
    autoscaling = connect("autoscaling")
    groups(autoscaling, unique)

    def names(size: int, **parameters: Any) -> list[str]:
        pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            **parameters, PaginationConfig={"PageSize": size}
        )
        found = [g["AutoScalingGroupName"] for page in pages for g in page["AutoScalingGroups"]]
        return [name for name in found if name.startswith(unique)]

    assert names(1) == names(50) == [f"{unique}-{number}" for number in range(3)]
    assert names(50, Filters=[{"Name": f"tag:{unique}", "Values": ["1"]}]) == [f"{unique}-1"]
    assert len(names(50, Filters=[{"Name": "tag-key", "Values": [unique]}])) == 3
    parameters = {"Name": "tag-key", "Values": [unique]}, {"Name": "tag-value", "Values": ["2"]}
    assert names(50, Filters=list(parameters)) == [f"{unique}-2"]
    assert names(50, AutoScalingGroupNames=["ghost"]) == []


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("describe_auto_scaling_groups", {"NextToken": "junk"}, "InvalidNextToken"),
        ("describe_scaling_activities", {"NextToken": "junk"}, "InvalidNextToken"),
        ("describe_scaling_activities", {"AutoScalingGroupName": "ghost"}, "ValidationError"),
        ("describe_auto_scaling_instances", {"NextToken": "junk"}, "InvalidNextToken"),
        ("update_auto_scaling_group", {"MinSize": 3, "MaxSize": 1}, "ValidationError"),
        ("update_auto_scaling_group", {"DesiredCapacity": 4}, "ValidationError"),
        ("start_instance_refresh", {"AutoScalingGroupName": "any"}, "InvalidAction"),
        (
            "terminate_instance_in_auto_scaling_group",
            {"InstanceId": "i-ghost", "ShouldDecrementDesiredCapacity": False},
            "ValidationError",
        ),
    ],
)
def test_what_a_group_cannot_do_is_refused(
    connect: Connect, unique: str, operation: str, parameters: dict[str, Any], expected: str
) -> None:
    autoscaling = connect("autoscaling")
    if operation.startswith("update"):
        groups(autoscaling, unique)
        parameters = {"AutoScalingGroupName": f"{unique}-0", **parameters}

    assert code(getattr(autoscaling, operation), **parameters) == expected


def test_group_metrics_are_asked_for(connect: Connect, unique: str) -> None:
    autoscaling = connect("autoscaling")
    groups(autoscaling, unique)
    name = f"{unique}-0"

    def enabled() -> list[str]:
        found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return [one["Metric"] for one in found["AutoScalingGroups"][0]["EnabledMetrics"]]

    assert enabled() == []
    autoscaling.enable_metrics_collection(AutoScalingGroupName=name, Granularity="1Minute")
    assert len(enabled()) == 8
    left = [one for one in enabled() if one != "GroupMinSize"]
    autoscaling.disable_metrics_collection(AutoScalingGroupName=name, Metrics=left)
    assert enabled() == ["GroupMinSize"]


def test_a_suspended_group_launches_nothing_until_it_is_resumed(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    autoscaling = connect("autoscaling")

    def group() -> Any:
        found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[unique])
        return found["AutoScalingGroups"][0]

    autoscaling.suspend_processes(AutoScalingGroupName=unique, ScalingProcesses=["Launch"])
    [suspended] = group()["SuspendedProcesses"]
    assert suspended["ProcessName"] == "Launch"
    assert suspended["SuspensionReason"].startswith("User suspended at ")
    autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=group()["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=False
    )
    until(lambda: group()["Instances"] == [])
    autoscaling.resume_processes(AutoScalingGroupName=unique)
    assert group()["SuspendedProcesses"] == [] and len(group()["Instances"]) == 1
    wrong = {"AutoScalingGroupName": unique, "ScalingProcesses": ["Dance"]}
    assert code(autoscaling.suspend_processes, **wrong) == "ValidationError"


def test_instances_are_filtered_by_group_tag_and_status(connect: Connect, unique: str) -> None:
    instance(connect, unique)
    autoscaling, ec2 = connect("autoscaling"), connect("ec2")
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[unique])[
        "AutoScalingGroups"
    ]
    identifier = group["Instances"][0]["InstanceId"]
    (known,) = autoscaling.describe_auto_scaling_instances(InstanceIds=[identifier])[
        "AutoScalingInstances"
    ]
    assert known["AutoScalingGroupName"] == unique

    def found(name: str, *values: str) -> int:
        filters = [{"Name": name, "Values": list(values)}]
        reservations = ec2.describe_instances(InstanceIds=[identifier], Filters=filters)
        return len(reservations["Reservations"])

    assert found("tag:aws:autoscaling:groupName", f"{unique[:4]}*") == 1
    assert found("tag-key", "aws:autoscaling:*") == 1
    assert found("instance-state-name", "stopped", "running") == 1
    assert found("instance-state-name", "stopped") == 0
    statuses = ec2.describe_instance_status(InstanceIds=[identifier])["InstanceStatuses"]
    assert [one["InstanceStatus"]["Status"] for one in statuses] == ["ok"]
    assert code(ec2.get_console_output, InstanceId="i-ghost") == "InvalidInstanceID.NotFound"


def test_a_target_that_is_not_registered_is_unused(connect: Connect, unique: str) -> None:
    elbv2 = connect("elbv2")
    made = elbv2.create_target_group(Name=unique, Protocol="TCP", Port=80, VpcId="vpc-00000001")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    (described,) = elbv2.describe_target_health(
        TargetGroupArn=arn, Targets=[{"Id": "i-1", "Port": 9}]
    )["TargetHealthDescriptions"]
    assert described["TargetHealth"]["Reason"] == "Target.NotRegistered"
    assert code(elbv2.describe_target_health, TargetGroupArn=f"{arn}x") == "TargetGroupNotFound"


def test_a_group_launches_from_the_version_that_somebody_gives_it(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    autoscaling, ec2 = connect("autoscaling"), connect("ec2")
    data = {"InstanceType": "t3.medium"}
    ec2.create_launch_template_version(LaunchTemplateName=unique, LaunchTemplateData=data)
    newest = {"LaunchTemplateName": unique, "Version": "2"}
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=unique, MaxSize=2, DesiredCapacity=2, LaunchTemplate=newest
    )

    def types() -> list[str]:
        wanted = [{"Name": "tag:aws:autoscaling:groupName", "Values": [unique]}]
        found = ec2.describe_instances(Filters=wanted)["Reservations"]
        return sorted(one["InstanceType"] for each in found for one in each["Instances"])

    until(lambda: types() == ["t3.medium", "t3.small"])
    [group] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[unique])[
        "AutoScalingGroups"
    ]
    assert group["LaunchTemplate"]["Version"] == "2"
