"""Instances on their way out over HTTP: lifecycle hooks, managed draining, the launch template's
newest version, the console."""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, post
from tests.opsctl_sandbox.fleet import until

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
SCRIPT = """#!/bin/sh
cat > /etc/ecs/ecs.config <<'CONFIG'
ECS_CLUSTER={name}
ECS_INSTANCE_ATTRIBUTES={{"opsctl.machine":"abc"}}
CONFIG
"""


def data(name: str, kind: str = "t3.small", image: str = "ami-0ec52023000000001") -> dict[str, str]:
    script = base64.b64encode(SCRIPT.format(name=name).encode()).decode()
    return {"InstanceType": kind, "ImageId": image, "UserData": script}


@pytest.fixture
def group(connect: Connect, unique: str) -> str:
    """One instance, launched from whatever is the newest version of its template."""
    connect("ecs").create_cluster(clusterName=unique)
    connect("ec2").create_launch_template(
        LaunchTemplateName=unique, LaunchTemplateData=data(unique)
    )
    connect("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=unique,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        VPCZoneIdentifier="subnet-00000001,subnet-00000002",
        LaunchTemplate={"LaunchTemplateName": unique, "Version": "$Latest"},
    )
    until(lambda: joined(connect, unique))
    return unique


def joined(connect: Connect, cluster: str) -> list[dict[str, Any]]:
    ecs = connect("ecs")
    arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    if not arns:
        return []
    described = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)
    return list(described["containerInstances"])


def members(connect: Connect, group: str) -> dict[str, str]:
    described = connect("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    instances = described["AutoScalingGroups"][0]["Instances"]
    return {one["InstanceId"]: one["LifecycleState"] for one in instances}


def end(connect: Connect, instance: str, shrink: bool = True) -> str:
    answer = connect("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=shrink
    )
    return str(answer["Activity"]["StatusCode"])


def test_an_instance_waits_for_its_hook_and_goes_when_it_is_completed(
    connect: Connect, group: str
) -> None:
    autoscaling = connect("autoscaling")
    hook = {"AutoScalingGroupName": group, "LifecycleHookName": "mine"}
    autoscaling.put_lifecycle_hook(
        **hook, LifecycleTransition=TERMINATING, HeartbeatTimeout=7000, DefaultResult="CONTINUE"
    )
    [described] = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
    assert (described["LifecycleHookName"], described["HeartbeatTimeout"]) == ("mine", 7000)
    [instance] = members(connect, group)
    assert end(connect, instance) == "MidTerminatingLifecycleAction"
    assert members(connect, group) == {instance: "Terminating:Wait"}

    autoscaling.record_lifecycle_action_heartbeat(**hook, InstanceId=instance)
    autoscaling.complete_lifecycle_action(
        **hook, InstanceId=instance, LifecycleActionResult="CONTINUE"
    )
    until(lambda: members(connect, group) == {})
    with pytest.raises(ClientError, match="No active Lifecycle Action found"):
        autoscaling.complete_lifecycle_action(
            **hook, InstanceId=instance, LifecycleActionResult="CONTINUE"
        )


def test_a_capacity_provider_drains_the_instances_that_its_group_ends(
    connect: Connect, group: str
) -> None:
    ecs, autoscaling = connect("ecs"), connect("autoscaling")
    ecs.create_capacity_provider(
        name=f"p{group}", autoScalingGroupProvider={"autoScalingGroupArn": group}
    )
    [hook] = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
    assert hook["LifecycleHookName"] == "ecs-managed-draining-termination-hook"
    [instance] = members(connect, group)
    end(connect, instance)
    assert members(connect, group)[instance] in ("Terminating:Wait", "Terminating")
    until(lambda: members(connect, group) == {})
    ecs.delete_capacity_provider(capacityProvider=f"p{group}")
    assert autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"] == []


def test_new_instances_come_from_the_newest_version_and_say_so(
    connect: Connect, group: str
) -> None:
    [before] = joined(connect, group)
    connect("ec2").create_launch_template_version(
        LaunchTemplateName=group, LaunchTemplateData=data(group, image="ami-0ec52018000000001")
    )
    versions = connect("ec2").describe_launch_template_versions(
        LaunchTemplateName=group, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert [v["VersionNumber"] for v in versions] == [2]
    assert set(members(connect, group)) == {before["ec2InstanceId"]}, "nothing is replaced"
    connect("autoscaling").set_desired_capacity(
        AutoScalingGroupName=group, DesiredCapacity=2, HonorCooldown=False
    )
    until(lambda: len(joined(connect, group)) == 2)
    [after] = [
        one for one in joined(connect, group) if one["ec2InstanceId"] != before["ec2InstanceId"]
    ]

    def attribute(instance: dict[str, Any], name: str) -> str:
        return next(str(a["value"]) for a in instance["attributes"] if a["name"] == name)

    assert attribute(before, "ecs.ami-id") == "ami-0ec52023000000001"
    assert attribute(after, "ecs.ami-id") == "ami-0ec52018000000001"
    assert attribute(after, "opsctl.machine") == "abc"
    described = connect("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    numbers = {
        one["InstanceId"]: one["LaunchTemplate"]["Version"]
        for one in described["AutoScalingGroups"][0]["Instances"]
    }
    assert numbers == {before["ec2InstanceId"]: "1", after["ec2InstanceId"]: "2"}
    reservations = connect("ec2").describe_instances(InstanceIds=[after["ec2InstanceId"]])
    assert reservations["Reservations"][0]["Instances"][0]["ImageId"] == "ami-0ec52018000000001"


def test_a_drained_instance_takes_no_task_and_may_be_made_active_again(
    connect: Connect, group: str
) -> None:
    ecs = connect("ecs")
    [instance] = joined(connect, group)
    names = {"cluster": group, "containerInstances": [instance["containerInstanceArn"]]}
    [drained] = ecs.update_container_instances_state(**names, status="DRAINING")[
        "containerInstances"
    ]
    assert drained["status"] == "DRAINING"
    assert (
        ecs.list_container_instances(cluster=group, status="ACTIVE")["containerInstanceArns"] == []
    )
    ecs.update_container_instances_state(**names, status="ACTIVE")
    assert [one["status"] for one in joined(connect, group)] == ["ACTIVE"]


def test_the_console_is_posted_some_minutes_after_the_boot_and_read_at_once_with_latest(
    sandbox: Sandbox, connect: Connect, group: str
) -> None:
    ec2 = connect("ec2")
    [instance] = members(connect, group)
    assert (
        "Cloud-init finished" in ec2.get_console_output(InstanceId=instance, Latest=True)["Output"]
    )
    posted = ec2.get_console_output(InstanceId=instance).get("Output", "")
    assert posted == ""
    post(sandbox, "clock", {"speed": 6000})
    until(lambda: "Cloud-init" in ec2.get_console_output(InstanceId=instance).get("Output", ""))
    post(sandbox, "clock", {"speed": 60})
