"""`AWS::EC2::SecurityGroupIngress`, which the sandbox adds to ministack."""

import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until


def deploy(connect: Connect, name: str, resources: dict[str, Any], **parameters: str) -> None:
    cloudformation = connect("cloudformation")
    declared = {key: {"Type": "Number"} for key in parameters}
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Parameters": declared, "Resources": resources}),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )


def test_an_ingress_rule_of_its_own_comes_and_goes_with_its_stack(
    connect: Connect, unique: str
) -> None:
    ec2 = connect("ec2")
    group = ec2.create_security_group(GroupName=unique, Description=unique)["GroupId"]
    rule = {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "Properties": {
            "GroupId": group,
            "IpProtocol": "tcp",
            "FromPort": 6379,
            "ToPort": 6379,
            "CidrIp": "10.0.0.0/8",
        },
    }

    deploy(connect, unique, {"Rule": rule})
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"][0]["FromPort"] == 6379

    cloudformation = connect("cloudformation")
    cloudformation.delete_stack(StackName=unique)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"] == []


def test_a_rule_is_revoked_by_its_ports_and_its_group_whatever_its_description(
    connect: Connect, unique: str
) -> None:
    ec2 = connect("ec2")
    group = ec2.create_security_group(GroupName=unique, Description=unique)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    pair = {"GroupId": group, "Description": "the instances"}
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{**rule, "UserIdGroupPairs": [pair]}]
    )
    ec2.revoke_security_group_ingress(
        GroupId=group, IpPermissions=[{**rule, "UserIdGroupPairs": [{"GroupId": group}]}]
    )
    [left] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert left["IpPermissions"] == []


def test_ministack_still_lacks_the_type() -> None:
    # This process never runs the sandbox's server, so ministack is as it comes.
    from ministack.services.cloudformation import provisioners

    assert "AWS::EC2::SecurityGroupIngress" not in provisioners._RESOURCE_HANDLERS


def test_a_vpc_has_one_security_group_of_a_name(connect: Connect, unique: str) -> None:
    ec2, cloudformation = connect("ec2"), connect("cloudformation")
    ec2.create_security_group(GroupName=unique, Description=unique)
    group = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupName": unique, "GroupDescription": "another"},
    }
    body = json.dumps({"Resources": {"Group": group}})
    cloudformation.create_stack(StackName=unique, TemplateBody=body, DisableRollback=True)

    def failed() -> bool:
        [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
        return bool(stack["StackStatus"] == "CREATE_FAILED")

    until(failed)
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    [reason] = [
        one["ResourceStatusReason"]
        for one in events
        if (one["LogicalResourceId"], one["ResourceStatus"]) == ("Group", "CREATE_FAILED")
    ]
    assert f"The security group '{unique}' already exists for VPC" in reason
    assert "HandlerErrorCode: AlreadyExists" in reason
