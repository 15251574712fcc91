"""The images for instances: named by public parameters, which AWS moves on about once a week."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, post

TOP = "/aws/service/ecs/optimized-ami"
NAMES = {
    "x86_64": f"{TOP}/amazon-linux-2023/recommended/image_id",
    "arm64": f"{TOP}/amazon-linux-2023/arm64/recommended/image_id",
}
TEMPLATE = """
Parameters:
  Image:
    Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>
    Default: %s
  Days:
    Type: Number
    Default: 7
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
  Launch:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: !Ref Image}}
"""


def newest(connect: Connect, architecture: str = "x86_64") -> str:
    parameter = connect("ssm").get_parameter(Name=NAMES[architecture])["Parameter"]
    return str(parameter["Value"])


def publish(sandbox: Sandbox) -> None:
    post(sandbox, "images", {"publish": "amazon-linux-2023"})


def stack_of(connect: Connect, name: str, parameter: str) -> Any:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=TEMPLATE % parameter)
    wait(cloudformation, name, "create")
    return cloudformation


def wait(cloudformation: Any, name: str, what: str) -> None:
    cloudformation.get_waiter(f"stack_{what}_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def parameter(described: Any) -> tuple[str, str | None]:
    [one] = [p for p in described["Parameters"] if p["ParameterKey"] == "Image"]
    return one["ParameterValue"], one.get("ResolvedValue")


@pytest.mark.parametrize("architecture", list(NAMES))
def test_the_newest_image_of_an_architecture_is_named_and_described(
    connect: Connect, architecture: str
) -> None:
    identifier = newest(connect, architecture)
    [image] = connect("ec2").describe_images(ImageIds=[identifier])["Images"]

    assert (image["Architecture"], image["State"]) == (architecture, "available")
    assert image["RootDeviceName"] == "/dev/xvda"
    chosen = [{"Name": "architecture", "Values": [architecture]}]
    images = connect("ec2").describe_images(Owners=["amazon"], Filters=chosen)["Images"]
    assert identifier in {one["ImageId"] for one in images}


def test_the_whole_recommendation_is_json(connect: Connect) -> None:
    name = NAMES["x86_64"].removesuffix("/image_id")
    value = json.loads(connect("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    assert value["image_id"] == newest(connect)


def test_an_image_that_is_published_is_the_newest_and_the_last_one_stays(
    sandbox: Sandbox, connect: Connect
) -> None:
    before = newest(connect)
    publish(sandbox)
    after = newest(connect)

    assert after != before
    images = connect("ec2").describe_images(ImageIds=[before, after])["Images"]
    assert {one["ImageId"] for one in images} == {before, after}


def test_a_parameter_of_an_ssm_type_keeps_its_name_and_shows_its_value(
    connect: Connect, plain: Connect, unique: str
) -> None:
    name = NAMES["x86_64"]
    cloudformation = stack_of(connect, unique, name)
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]

    assert parameter(stack) == (name, newest(connect))
    [stack] = plain("cloudformation").describe_stacks(StackName=unique)["Stacks"]
    assert parameter(stack) == (newest(connect), None)


@pytest.mark.parametrize("given", [{"UsePreviousValue": True}, {"ParameterValue": NAMES["x86_64"]}])
def test_it_is_resolved_anew_at_every_operation_even_with_its_previous_value(
    sandbox: Sandbox, connect: Connect, unique: str, given: dict[str, Any]
) -> None:
    cloudformation = stack_of(connect, unique, NAMES["x86_64"])
    publish(sandbox)
    parameters = [
        {"ParameterKey": "Image", **given},
        {"ParameterKey": "Days", "ParameterValue": "14"},
    ]
    cloudformation.create_change_set(
        StackName=unique, ChangeSetName="next", UsePreviousTemplate=True, Parameters=parameters
    )
    change_set = cloudformation.describe_change_set(StackName=unique, ChangeSetName="next")

    assert parameter(change_set) == (NAMES["x86_64"], newest(connect))
    changed = {one["ResourceChange"]["LogicalResourceId"] for one in change_set["Changes"]}
    assert changed == {"Group", "Launch"}


def test_a_new_image_alone_is_a_change(sandbox: Sandbox, connect: Connect, unique: str) -> None:
    cloudformation = stack_of(connect, unique, NAMES["x86_64"])
    parameters = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("Image", "Days")]
    request = {"StackName": unique, "UsePreviousTemplate": True, "Parameters": parameters}
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(**request)
    publish(sandbox)
    cloudformation.update_stack(**request)
    wait(cloudformation, unique, "update")


def test_an_image_by_its_id_stays_whatever_is_published(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    body = (TEMPLATE % newest(connect)).replace(
        "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "AWS::EC2::Image::Id"
    )
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=body)
    wait(cloudformation, unique, "create")
    publish(sandbox)
    parameters = [
        {"ParameterKey": "Image", "UsePreviousValue": True},
        {"ParameterKey": "Days", "ParameterValue": "14"},
    ]
    cloudformation.create_change_set(
        StackName=unique, ChangeSetName="next", UsePreviousTemplate=True, Parameters=parameters
    )
    change_set = cloudformation.describe_change_set(StackName=unique, ChangeSetName="next")
    changed = {one["ResourceChange"]["LogicalResourceId"] for one in change_set["Changes"]}
    assert changed == {"Group"}
