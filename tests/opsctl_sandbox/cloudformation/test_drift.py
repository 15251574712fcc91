"""Drift is what a change set sees when it is asked to look at what is there."""

import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.cloudformation.test_resources import deploy, launch_configuration

NAMED = ["CAPABILITY_NAMED_IAM"]


def reverting(cloudformation: Any, name: str, template: str) -> Any:
    identifier = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="back",
        TemplateBody=template,
        DeploymentMode="REVERT_DRIFT",
        Capabilities=NAMED,
    )["Id"]
    return cloudformation.describe_change_set(ChangeSetName=identifier)


def test_what_was_deleted_is_made_again_and_what_was_resized_set_back(
    connect: Connect, unique: str
) -> None:
    resources: dict[str, Any] = launch_configuration(unique)
    resources["Group"]["Properties"] |= {"DesiredCapacity": "1", "MaxSize": "2"}
    resources["Logs"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": unique}}
    profile = {"InstanceProfileName": unique, "Roles": []}
    resources["Profile"] = {"Type": "AWS::IAM::InstanceProfile", "Properties": profile}
    template = {"Resources": resources}
    deploy(connect, unique, template, Capabilities=NAMED)
    cloudformation, logs = connect("cloudformation"), connect("logs")
    autoscaling = connect("autoscaling")

    unchanged = reverting(cloudformation, unique, json.dumps(template))
    assert (unchanged["Status"], unchanged["Changes"]) == ("FAILED", [])
    cloudformation.delete_change_set(StackName=unique, ChangeSetName="back")

    group, profile_name = (
        one["PhysicalResourceId"]
        for logical_id in ("Group", "Profile")
        for one in cloudformation.describe_stack_resources(StackName=unique)["StackResources"]
        if one["LogicalResourceId"] == logical_id
    )
    assert profile_name == unique
    logs.delete_log_group(logGroupName=unique)
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=2)
    found = reverting(cloudformation, unique, json.dumps(template))
    seen = {
        change["ResourceChange"]["LogicalResourceId"]: (
            change["ResourceChange"]["ResourceDriftStatus"],
            change["ResourceChange"]["Action"],
        )
        for change in found["Changes"]
    }
    assert seen == {"Logs": ("DELETED", "Add"), "Group": ("MODIFIED", "Modify")}

    cloudformation.execute_change_set(ChangeSetName=found["ChangeSetId"])
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert logs.describe_log_groups(logGroupNamePrefix=unique)["logGroups"]
    [described] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    assert described["DesiredCapacity"] == 1


def test_a_rule_that_was_revoked_from_a_group_is_given_back(connect: Connect, unique: str) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    properties = {"GroupName": unique, "GroupDescription": "x", "SecurityGroupIngress": [rule]}
    template = {
        "Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}}
    }
    deploy(connect, unique, template)
    cloudformation, ec2 = connect("cloudformation"), connect("ec2")

    def rules() -> Any:
        filters: Any = [{"Name": "group-name", "Values": [unique]}]
        [group] = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return group["GroupId"], group["IpPermissions"]

    group, permissions = rules()
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions)
    found = reverting(cloudformation, unique, json.dumps(template))
    [change] = [one["ResourceChange"] for one in found["Changes"]]
    assert (change["ResourceDriftStatus"], change["Action"]) == ("MODIFIED", "Modify")
    cloudformation.execute_change_set(ChangeSetName=found["ChangeSetId"])
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert rules() == (group, permissions)
