"""What CloudFormation asks of its caller's rights: the main actions of each resource's handlers.

A resource is made with the rights of whoever began the operation, or of the role that was named
with it: as if they called the action for this resource. A name that CloudFormation is about to
generate begins with the stack's name and the logical id.
Source: `handlers.permissions` of the resource schemas.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from opsctl_sandbox.ministack import permissions, stacks
from opsctl_sandbox.ministack.stacks import Resource

Verb: TypeAlias = Literal["create", "update", "delete"]

# Create, update and delete; '' where the change is another action of the same kind, or none.
_ACTIONS: Mapping[str, tuple[str, str, str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:DeregisterScalableTarget",
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:DeleteScalingPolicy",
    ),
    "AWS::AutoScaling::AutoScalingGroup": (
        "autoscaling:CreateAutoScalingGroup",
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:DeleteAutoScalingGroup",
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DeleteAlarms",
    ),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch:PutDashboard",
        "cloudwatch:PutDashboard",
        "cloudwatch:DeleteDashboards",
    ),
    "AWS::EC2::LaunchTemplate": (
        "ec2:CreateLaunchTemplate",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:DeleteLaunchTemplate",
    ),
    "AWS::EC2::SecurityGroup": ("ec2:CreateSecurityGroup", "", "ec2:DeleteSecurityGroup"),
    "AWS::EC2::SecurityGroupIngress": (
        "ec2:AuthorizeSecurityGroupIngress",
        "",
        "ec2:RevokeSecurityGroupIngress",
    ),
    "AWS::ECR::Repository": ("ecr:CreateRepository", "", "ecr:DeleteRepository"),
    "AWS::ECS::CapacityProvider": (
        "ecs:CreateCapacityProvider",
        "ecs:UpdateCapacityProvider",
        "ecs:DeleteCapacityProvider",
    ),
    "AWS::ECS::Cluster": ("ecs:CreateCluster", "ecs:UpdateCluster", "ecs:DeleteCluster"),
    "AWS::ECS::Service": ("ecs:CreateService", "ecs:UpdateService", "ecs:DeleteService"),
    "AWS::ECS::TaskDefinition": (
        "ecs:RegisterTaskDefinition",
        "ecs:RegisterTaskDefinition",
        "ecs:DeregisterTaskDefinition",
    ),
    "AWS::ElastiCache::CacheCluster": (
        "elasticache:CreateCacheCluster",
        "elasticache:ModifyCacheCluster",
        "elasticache:DeleteCacheCluster",
    ),
    "AWS::ElastiCache::ReplicationGroup": (
        "elasticache:CreateReplicationGroup",
        "elasticache:ModifyReplicationGroup",
        "elasticache:DeleteReplicationGroup",
    ),
    "AWS::ElastiCache::SubnetGroup": (
        "elasticache:CreateCacheSubnetGroup",
        "elasticache:ModifyCacheSubnetGroup",
        "elasticache:DeleteCacheSubnetGroup",
    ),
    "AWS::ElasticLoadBalancingV2::Listener": (
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:DeleteListener",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        "elasticloadbalancing:CreateLoadBalancer",
        "",
        "elasticloadbalancing:DeleteLoadBalancer",
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "elasticloadbalancing:CreateTargetGroup",
        "",
        "elasticloadbalancing:DeleteTargetGroup",
    ),
    "AWS::IAM::InstanceProfile": (
        "iam:CreateInstanceProfile",
        "",
        "iam:DeleteInstanceProfile",
    ),
    "AWS::IAM::Role": ("iam:CreateRole", "", "iam:DeleteRole"),
    "AWS::Logs::LogGroup": ("logs:CreateLogGroup", "", "logs:DeleteLogGroup"),
    "AWS::SNS::Topic": ("sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic"),
}
_VERBS: tuple[Verb, ...] = ("create", "update", "delete")
# Parameter of the call -> property that it comes from. The first one is the resource's own name.
_PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "AWS::AutoScaling::AutoScalingGroup": {"AutoScalingGroupName": "AutoScalingGroupName"},
    "AWS::CloudWatch::Alarm": {"AlarmName": "AlarmName"},
    "AWS::ECR::Repository": {"repositoryName": "RepositoryName"},
    "AWS::ECS::Cluster": {"clusterName": "ClusterName"},
    "AWS::ECS::Service": {"serviceName": "ServiceName", "cluster": "Cluster"},
    "AWS::ECS::TaskDefinition": {"family": "Family"},
    "AWS::ElastiCache::CacheCluster": {"CacheClusterId": "ClusterName"},
    "AWS::ElastiCache::ReplicationGroup": {"ReplicationGroupId": "ReplicationGroupId"},
    "AWS::ElastiCache::SubnetGroup": {"CacheSubnetGroupName": "CacheSubnetGroupName"},
    "AWS::IAM::InstanceProfile": {"InstanceProfileName": "InstanceProfileName"},
    "AWS::IAM::Role": {"RoleName": "RoleName"},
    "AWS::Logs::LogGroup": {"logGroupName": "LogGroupName"},
    "AWS::SNS::Topic": {"Name": "TopicName"},
}
# Load balancers and what belongs to them are named by ARNs.
_BALANCED: Mapping[str, tuple[str, str]] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("LoadBalancerArn", "loadbalancer/net/{}/0"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("TargetGroupArn", "targetgroup/{}/0"),
    "AWS::ElasticLoadBalancingV2::Listener": ("ListenerArn", ""),
}


def missing(resource: Resource, verb: Verb) -> str:
    """Return the handler's sentence when the caller may not have this done; else ''."""
    action = _ACTIONS.get(resource.type, ("", "", ""))[_VERBS.index(verb)]
    region = stacks.region()
    refusal = permissions.lacking(action, _parameters(resource, region), region) if action else ""
    if not refusal:
        return ""
    service = resource.type.split("::")[1]
    said = f"{refusal} (Service: {service}, Status Code: 400)"
    return f'Resource handler returned message: "{said}" (HandlerErrorCode: AccessDenied)'


def _parameters(resource: Resource, region: str) -> dict[str, Any]:
    """Return what the call of the action would name."""
    properties, generated = resource.properties, f"{resource.stack}-{resource.logical_id}-0"
    if resource.type in _BALANCED:
        parameter, tail = _BALANCED[resource.type]
        if resource.physical_id:
            return {parameter: resource.physical_id}
        if not tail:  # a listener is created in its load balancer
            return {"LoadBalancerArn": properties["LoadBalancerArn"]}
        name = tail.format(properties.get("Name", generated))
        account = permissions.account()
        return {parameter: f"arn:aws:elasticloadbalancing:{region}:{account}:{name}"}
    named = _PARAMETERS.get(resource.type, {})
    given = {key: properties[one] for key, one in named.items() if properties.get(one)}
    first = next(iter(named), "")
    return {first: resource.physical_id or generated, **given} if first else {}
