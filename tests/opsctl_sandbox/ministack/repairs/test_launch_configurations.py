"""Launch configurations: what ministack gets wrong, still, and what the sandbox answers instead."""

import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect

PROPERTIES = {
    "ImageId": "ami-1",
    "InstanceType": "t3.small",
    "KeyName": "key",
    "IamInstanceProfile": "profile",
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvdcz", "Ebs": {"VolumeSize": 22, "VolumeType": "gp2"}}
    ],
}


def test_what_a_stack_gives_is_described(connect: Connect, plain: Connect, unique: str) -> None:
    resource = {"Type": "AWS::AutoScaling::LaunchConfiguration", "Properties": PROPERTIES}
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(
        StackName=unique, TemplateBody=json.dumps({"Resources": {"Launch": resource}})
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )

    def described(make: Connect) -> dict[str, Any]:
        found = make("autoscaling").describe_launch_configurations()["LaunchConfigurations"]
        mine = [one for one in found if one["LaunchConfigurationName"].startswith(unique)]
        return {name: mine[0].get(name) for name in PROPERTIES}

    assert described(plain) != PROPERTIES
    assert described(connect) == PROPERTIES
