"""A small ecs stack for the tests of operations: the description's parts, one of each."""

from typing import Any

_SPREAD = [
    {"Type": "spread", "Field": "attribute:ecs.availability-zone"},
    {"Type": "spread", "Field": "instanceId"},
]
_USER_DATA = """#!/bin/bash
echo ECS_CLUSTER=${Cluster} >> /etc/ecs/ecs.config
/opt/aws/bin/cfn-signal --exit-code 0 --stack ${AWS::StackName} --resource Group
"""


def template(name: str, *, desired: int = 4, signals: int = 2) -> dict[str, Any]:
    """`Image` is a parameter, so that an update rolls the tasks."""
    return {
        "Parameters": {
            "Image": {"Type": "String", "Default": "repo:1"},
            "Desired": {"Type": "Number", "Default": desired},
        },
        "Resources": {
            "Cluster": _resource("AWS::ECS::Cluster", ClusterName=name),
            "Logs": _resource("AWS::Logs::LogGroup", LogGroupName=f"{name}-stdout"),
            **_network(name),
            **_compute(name, signals),
            **_service(name),
        },
        "Outputs": {"Cluster": {"Value": {"Ref": "Cluster"}}},
    }


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _network(name: str) -> dict[str, Any]:
    forward = {"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}
    return {
        "Balancer": _resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            Name=name,
            Type="network",
            Subnets=["subnet-0000000a", "subnet-0000000b"],
        ),
        "Targets": _resource(
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            Name=name,
            Protocol="TCP",
            Port=80,
            VpcId="vpc-00000001",
            TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
        ),
        "Listener": _resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            LoadBalancerArn={"Ref": "Balancer"},
            Port=80,
            Protocol="TCP",
            DefaultActions=[forward],
        ),
    }


def _compute(name: str, signals: int) -> dict[str, Any]:
    launch = {
        "InstanceType": "t3.large",
        "UserData": {"Fn::Base64": {"Fn::Sub": _USER_DATA}},
    }
    group = _resource(
        "AWS::AutoScaling::AutoScalingGroup",
        AutoScalingGroupName=name,
        MinSize="0",
        MaxSize="2",
        DesiredCapacity="2",
        VPCZoneIdentifier=["subnet-0000000a", "subnet-0000000b"],
        LaunchTemplate={
            "LaunchTemplateId": {"Ref": "Launch"},
            "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]},
        },
    )
    group["CreationPolicy"] = {"ResourceSignal": {"Count": signals, "Timeout": "PT15M"}}
    return {
        "Launch": _resource(
            "AWS::EC2::LaunchTemplate", LaunchTemplateName=name, LaunchTemplateData=launch
        ),
        "Group": group,
    }


def _service(name: str) -> dict[str, Any]:
    container = {
        "Name": "caddy",
        "Image": {"Ref": "Image"},
        "Cpu": 512,
        "Memory": 400,
        "Ulimits": [{"Name": "nofile", "SoftLimit": 1024000, "HardLimit": 1024000}],
        "PortMappings": [{"ContainerPort": 8082, "HostPort": 0}],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}},
    }
    target = {"ContainerName": "caddy", "ContainerPort": 8082, "TargetGroupArn": {"Ref": "Targets"}}
    service = _resource(
        "AWS::ECS::Service",
        ServiceName=name,
        Cluster={"Ref": "Cluster"},
        TaskDefinition={"Ref": "Task"},
        DesiredCount={"Ref": "Desired"},
        LaunchType="EC2",
        LoadBalancers=[target],
        PlacementStrategies=_SPREAD,
        DeploymentConfiguration={
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
    )
    service["DependsOn"] = ["Listener"]
    return {
        "Task": _resource(
            "AWS::ECS::TaskDefinition", Family=name, ContainerDefinitions=[container]
        ),
        "Service": service,
    }
