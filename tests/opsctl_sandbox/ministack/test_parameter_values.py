"""Parameters of AWS-specific types: what they name must exist at every operation."""

import time
from typing import Any

import pytest

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, post

TEMPLATE = """
Parameters:
  Value: {Type: "%s"}
  Days: {Type: Number, Default: 7}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
"""
WORDS = "Parameter validation failed: parameter value {} for parameter name Value does not exist"


def rolled_back(cloudformation: Any, stack: str) -> str:
    """The reason of the event with which a stack's operation began to roll back."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        if described["StackStatus"].endswith("ROLLBACK_COMPLETE"):
            break
        time.sleep(0.2)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return next(
        str(one.get("ResourceStatusReason", ""))
        for one in events
        if one["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS")
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("AWS::EC2::Image::Id", "ami-0123456789abcdef0"),
        ("AWS::EC2::VPC::Id", "vpc-0123456789abcdef0"),
        ("List<AWS::EC2::Subnet::Id>", "subnet-0123456789abcdef0"),
        ("AWS::EC2::KeyPair::KeyName", "nobody"),
    ],
)
def test_a_value_that_does_not_exist_ends_a_stack_before_it_makes_anything(
    connect: Connect, unique: str, kind: str, value: str
) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(
        StackName=unique,
        TemplateBody=TEMPLATE % kind,
        Parameters=[{"ParameterKey": "Value", "ParameterValue": value}],
    )
    reason = rolled_back(cloudformation, unique)
    assert reason == f"{WORDS.format(value)}. Rollback requested by user."
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    assert {one["LogicalResourceId"] for one in events} == {unique}


def test_an_image_that_its_owner_withdraws_ends_an_update_that_does_not_touch_it(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    image = [one for one in post(sandbox, "images", {"publish": "amazon-linux-2"})][-1]["id"]
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(
        StackName=unique,
        TemplateBody=TEMPLATE % "AWS::EC2::Image::Id",
        Parameters=[{"ParameterKey": "Value", "ParameterValue": image}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert image not in [one["id"] for one in post(sandbox, "images", {"withdraw": image})]
    cloudformation.update_stack(
        StackName=unique,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Value", "UsePreviousValue": True},
            {"ParameterKey": "Days", "ParameterValue": "14"},
        ],
    )
    assert rolled_back(cloudformation, unique) == f"{WORDS.format(image)}."
