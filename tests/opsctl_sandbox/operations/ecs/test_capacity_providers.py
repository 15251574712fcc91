"""Capacity providers over HTTP and in a stack."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.operations.ecs.test_tasks import instance, register


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def test_a_provider_is_made_given_to_a_cluster_used_and_removed(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    ecs = connect("ecs")
    group = connect("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[unique])
    arn = group["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    parameters = {"name": unique, "autoScalingGroupProvider": {"autoScalingGroupArn": arn}}
    ecs.create_capacity_provider(**parameters)
    strategy = [{"capacityProvider": unique, "weight": 1}]
    ecs.put_cluster_capacity_providers(
        cluster=unique, capacityProviders=[unique], defaultCapacityProviderStrategy=strategy
    )

    assert code(ecs.create_capacity_provider, **parameters) == "ClientException"
    (found,) = ecs.describe_capacity_providers(capacityProviders=[unique])["capacityProviders"]
    assert found["autoScalingGroupProvider"]["autoScalingGroupArn"] == arn
    (cluster,) = ecs.describe_clusters(clusters=[unique])["clusters"]
    assert cluster["capacityProviders"] == [unique]
    ecs.create_service(
        cluster=unique,
        serviceName="web",
        taskDefinition=register(ecs, unique),
        desiredCount=0,
        capacityProviderStrategy=strategy,
    )
    (service,) = ecs.describe_services(cluster=unique, services=["web"])["services"]
    assert service["capacityProviderStrategy"][0]["capacityProvider"] == unique
    assert ecs.list_services(cluster=unique, launchType="EC2")["serviceArns"] == []
    assert code(ecs.delete_capacity_provider, capacityProvider=unique) == "ResourceInUseException"
    nothing: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
    detach = ecs.put_cluster_capacity_providers
    assert code(detach, cluster=unique, **nothing) == "ResourceInUseException"
    ecs.delete_service(cluster=unique, service="web")
    detach(cluster=unique, **nothing)
    ecs.delete_capacity_provider(capacityProvider=unique)
    (failure,) = ecs.describe_capacity_providers(capacityProviders=[unique])["failures"]
    assert failure["reason"] == "MISSING"


def test_a_stack_makes_providers_and_takes_them_away(connect: Connect, unique: str) -> None:
    provider = {"AutoScalingGroupArn": {"Ref": "Group"}, "ManagedScaling": {"Status": "ENABLED"}}
    strategy = [{"CapacityProvider": {"Ref": "Provider"}, "Weight": 1}]
    data = {"InstanceType": "t3.small"}
    launch = {"LaunchTemplateId": {"Ref": "Launch"}, "Version": "1"}
    resources = {
        "Cluster": ("AWS::ECS::Cluster", {"ClusterName": unique}),
        "Launch": ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": data}),
        "Group": (
            "AWS::AutoScaling::AutoScalingGroup",
            {
                "AutoScalingGroupName": unique,
                "MinSize": "0",
                "MaxSize": "1",
                "LaunchTemplate": launch,
                "AvailabilityZones": ["us-east-1a"],
            },
        ),
        "Provider": (
            "AWS::ECS::CapacityProvider",
            {"Name": unique, "AutoScalingGroupProvider": provider},
        ),
        "Associations": (
            "AWS::ECS::ClusterCapacityProviderAssociations",
            {
                "Cluster": {"Ref": "Cluster"},
                "CapacityProviders": [{"Ref": "Provider"}],
                "DefaultCapacityProviderStrategy": strategy,
            },
        ),
    }
    body = {"Resources": {n: {"Type": t, "Properties": p} for n, (t, p) in resources.items()}}
    cloudformation, ecs = connect("cloudformation"), connect("ecs")
    cloudformation.create_stack(StackName=unique, TemplateBody=json.dumps(body))
    patience = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig=patience)
    (cluster,) = ecs.describe_clusters(clusters=[unique])["clusters"]
    assert cluster["defaultCapacityProviderStrategy"][0]["capacityProvider"] == unique

    # An update that drops both deletes the association first, which uses the provider.
    kept = {name: body["Resources"].pop(name) for name in ("Provider", "Associations")}
    cloudformation.update_stack(StackName=unique, TemplateBody=json.dumps(body))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=unique, WaiterConfig=patience)
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    assert [
        one["LogicalResourceId"] for one in events if one["ResourceStatus"] == "DELETE_COMPLETE"
    ] == [*kept]

    cloudformation.delete_stack(StackName=unique)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=unique, WaiterConfig=patience)
    found = ecs.describe_capacity_providers(capacityProviders=[unique])
    assert found["capacityProviders"] == []
