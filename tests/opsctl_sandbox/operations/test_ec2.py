"""Instances over HTTP: what the simulation does not do, it says."""

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.operations.ecs.test_tasks import instance


@pytest.mark.parametrize("name", ["reboot_instances", "start_instances", "stop_instances"])
def test_what_it_does_not_do_with_an_instance_it_says(
    connect: Connect, unique: str, name: str
) -> None:
    # An instance that was there "does not exist", it said.
    joined = instance(connect, unique)
    [found] = connect("ecs").describe_container_instances(
        cluster=unique, containerInstances=[joined]
    )["containerInstances"]
    call = getattr(connect("ec2"), name)
    with pytest.raises(ClientError, match="the sandbox has no ec2"):
        call(InstanceIds=[found["ec2InstanceId"]])
    with pytest.raises(ClientError, match="does not exist"):
        call(InstanceIds=["i-00000000000000001"])
