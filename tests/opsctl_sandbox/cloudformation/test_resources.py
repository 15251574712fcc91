"""Resources of a stack that live in the simulation."""

import base64
import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.fleet import until


def service_stack(name: str, **others: Any) -> dict[str, Any]:
    """The resources of a service that wants no task, so that it is steady at once."""
    container = {"Name": "c", "Image": "i", "Memory": 64}
    return {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": name}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"Family": name, "ContainerDefinitions": [container]},
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "ServiceName": name,
                "Cluster": {"Ref": "Cluster"},
                "TaskDefinition": {"Ref": "Task"},
                "DesiredCount": 0,
                **others,
            },
        },
    }


def deploy(connect: Connect, name: str, template: dict[str, Any], **given: Any) -> None:
    """Create or update the stack, and wait until that is done."""
    cloudformation = connect("cloudformation")
    known = [one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]]
    verb = "update" if name in known else "create"
    act = getattr(cloudformation, f"{verb}_stack")
    act(StackName=name, TemplateBody=json.dumps(template), **given)
    cloudformation.get_waiter(f"stack_{verb}_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )


def described(connect: Connect, name: str) -> dict[str, Any]:
    [service] = connect("ecs").describe_services(cluster=name, services=[name])["services"]
    return dict(service)


def test_a_definition_has_the_tags_of_its_stack_and_changed_tags_make_no_new_one(
    connect: Connect, unique: str
) -> None:
    template = {"Resources": service_stack(unique)}

    def tags_after(team: str) -> tuple[str, dict[str, str]]:
        deploy(connect, unique, template, Tags=[{"Key": "team", "Value": team}])
        answer = connect("ecs").describe_task_definition(taskDefinition=unique, include=["TAGS"])
        arn: str = answer["taskDefinition"]["taskDefinitionArn"]
        return arn, {one["key"]: one["value"] for one in answer["tags"]}

    first, tags = tags_after("red")
    assert (tags["team"], tags["aws:cloudformation:logical-id"]) == ("red", "Task")
    second, tags = tags_after("blue")
    assert (first, tags["team"]) == (second, "blue")


def test_a_service_takes_its_count_from_a_number_parameter(connect: Connect, unique: str) -> None:
    resources = service_stack(unique, DesiredCount={"Ref": "Count"})
    template = {"Parameters": {"Count": {"Type": "Number"}}, "Resources": resources}
    zero = [{"ParameterKey": "Count", "ParameterValue": "0"}]
    deploy(connect, unique, template, Parameters=zero)
    assert described(connect, unique)["desiredCount"] == 0


def test_a_scaled_service_keeps_its_count_when_the_template_has_none(
    connect: Connect, unique: str
) -> None:
    resources = service_stack(unique)
    resources["Target"] = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": {"Fn::Sub": "service/${Cluster}/${Service.Name}"},
            "MinCapacity": 0,
            "MaxCapacity": 4,
        },
    }
    tracking = {
        "TargetValue": 60,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
        },
    }
    resources["Policy"] = {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": "cpu",
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": "Target"},
            "TargetTrackingScalingPolicyConfiguration": tracking,
        },
    }
    deploy(connect, unique, {"Resources": resources})
    del resources["Service"]["Properties"]["DesiredCount"]
    resources["Target"]["Properties"]["MaxCapacity"] = 6
    deploy(connect, unique, {"Resources": resources})
    assert described(connect, unique)["desiredCount"] == 0, "a new service would have 1"
    of_ecs = {"ServiceNamespace": "ecs"}
    resource = f"service/{unique}/{unique}"
    scaling = connect("application-autoscaling")
    [policy] = scaling.describe_scaling_policies(ResourceId=resource, **of_ecs)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == tracking

    suspended = {"DynamicScalingInSuspended": True}
    dimension = {"ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(
        ResourceId=resource, SuspendedState=suspended, **of_ecs, **dimension
    )
    targets = scaling.describe_scalable_targets(ResourceIds=[resource], **of_ecs)
    [target] = targets["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 6)
    assert target["SuspendedState"]["DynamicScalingInSuspended"]


def test_a_forced_deployment_moves_a_service_to_a_capacity_provider(
    connect: Connect, unique: str
) -> None:
    deploy(connect, unique, {"Resources": service_stack(unique, LaunchType="EC2")})
    before = described(connect, unique)
    strategy = [{"CapacityProvider": unique, "Weight": 1}]
    forced = {"EnableForceNewDeployment": True, "ForceNewDeploymentNonce": "once"}
    moved = service_stack(unique, CapacityProviderStrategy=strategy, ForceNewDeployment=forced)
    deploy(connect, unique, {"Resources": moved})
    after = described(connect, unique)
    assert after["capacityProviderStrategy"][0]["capacityProvider"] == unique
    assert after["deployments"][0]["id"] != before["deployments"][0]["id"]
    # An omitted strategy stays; an empty one leads back, and is no change the second time.
    deploy(connect, unique, {"Resources": service_stack(unique, LaunchType="EC2")})
    assert (
        described(connect, unique)["capacityProviderStrategy"] == after["capacityProviderStrategy"]
    )
    forced["ForceNewDeploymentNonce"] = "back"
    left = service_stack(unique, CapacityProviderStrategy=[], ForceNewDeployment=forced)
    deploy(connect, unique, {"Resources": left})
    now = described(connect, unique)
    assert now["launchType"] == "EC2" and not now.get("capacityProviderStrategy")
    connect("ecs").update_service(cluster=unique, service=unique, capacityProviderStrategy=[])


def launch_configuration(cluster: str) -> dict[str, Any]:
    script = f"#!/bin/sh\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config".encode()
    launch = {
        "ImageId": "ami-0ec52023000000001",
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


def test_a_log_group_is_not_replaced_by_one_that_exists(connect: Connect, unique: str) -> None:
    def template(name: str) -> dict[str, Any]:
        group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}
        return {"Resources": {"Group": {**group, "UpdateReplacePolicy": "Retain"}}}

    deploy(connect, unique, template(unique))
    connect("logs").create_log_group(logGroupName=f"{unique}-there")
    cloudformation = connect("cloudformation")
    cloudformation.update_stack(
        StackName=unique, TemplateBody=json.dumps(template(f"{unique}-there"))
    )
    events = until(
        lambda: [
            one
            for one in cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
            if one["ResourceStatus"] == "UPDATE_FAILED"
        ]
    )
    assert "HandlerErrorCode: AlreadyExists" in events[0]["ResourceStatusReason"]
