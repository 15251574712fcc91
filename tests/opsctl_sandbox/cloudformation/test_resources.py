"""Resources of a stack that live in the simulation."""

import base64
import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until


def test_a_service_takes_its_count_from_a_number_parameter(connect: Connect, unique: str) -> None:
    container = {"Name": "c", "Image": "i", "Memory": 64}
    resources: dict[str, Any] = {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": unique}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"Family": unique, "ContainerDefinitions": [container]},
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "ServiceName": unique,
                "Cluster": {"Ref": "Cluster"},
                "TaskDefinition": {"Ref": "Task"},
                "DesiredCount": {"Ref": "Count"},
            },
        },
    }

    template = {"Parameters": {"Count": {"Type": "Number"}}, "Resources": resources}
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(
        StackName=unique,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Count", "ParameterValue": "0"}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )

    [service] = connect("ecs").describe_services(cluster=unique, services=[unique])["services"]
    assert service["desiredCount"] == 0


def launch_configuration(cluster: str) -> dict[str, Any]:
    script = f"#!/bin/sh\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config".encode()
    launch = {
        "ImageId": "ami-1",
        "InstanceType": "t3.small",
        "UserData": base64.b64encode(script).decode(),
    }
    group = {
        "LaunchConfigurationName": {"Ref": "Launch"},
        "MinSize": "1",
        "MaxSize": "1",
        "AvailabilityZones": ["us-east-1a"],
    }
    return {
        "Launch": {"Type": "AWS::AutoScaling::LaunchConfiguration", "Properties": launch},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": group},
    }


def test_an_instance_joins_the_cluster_that_a_stack_s_user_data_names(
    connect: Connect, unique: str
) -> None:
    connect("ecs").create_cluster(clusterName=unique)
    connect("cloudformation").create_stack(
        StackName=unique, TemplateBody=json.dumps({"Resources": launch_configuration(unique)})
    )
    ecs = connect("ecs")
    until(lambda: ecs.list_container_instances(cluster=unique)["containerInstanceArns"])
