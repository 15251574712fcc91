"""A cluster whose instances joined, and waiting for what the simulation takes its time for."""

import base64
import time
from collections.abc import Callable
from typing import Any

from tests.opsctl_sandbox.clients import Connect


def until(check: Callable[[], Any], within: float = 60.0) -> Any:
    deadline = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def join(aws: Connect, name: str, count: int) -> None:
    """A cluster, a repository, the group `/app/stdout`, and `count` instances that joined."""
    aws("ecs").create_cluster(clusterName=name)
    aws("ecr").create_repository(repositoryName=name)
    aws("logs").create_log_group(logGroupName="/app/stdout")
    script = f"#!/bin/sh\necho ECS_CLUSTER={name} >> /etc/ecs/ecs.config".encode()
    data = {
        "InstanceType": "t3.medium",
        "ImageId": "ami-0ec52023000000001",
        "UserData": base64.b64encode(script).decode(),
    }
    template = aws("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=count,
        DesiredCapacity=count,
        VPCZoneIdentifier="subnet-00000001,subnet-00000002",
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"]},
    )
    ecs = aws("ecs")
    until(lambda: len(ecs.list_container_instances(cluster=name)["containerInstanceArns"]) == count)


def stopped(aws: Connect, cluster: str, task: str) -> dict[str, Any]:
    """The task, once it is STOPPED."""

    def found() -> Any:
        one = aws("ecs").describe_tasks(cluster=cluster, tasks=[task])["tasks"][0]
        return one if one["lastStatus"] == "STOPPED" else None

    return dict(until(found))
