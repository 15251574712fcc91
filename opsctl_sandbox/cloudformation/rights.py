"""What CloudFormation asks of its caller's rights: the main actions of each resource's handlers.

A resource is made with the rights of whoever began the operation, or of the role that was named
with it. By action alone: which resources a policy names is looked at in the caller's own calls.
Source: `handlers.permissions` of the resource schemas.
"""

from collections.abc import Mapping

from opsctl_sandbox.ministack import permissions

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
_VERBS = ("create", "update", "delete")


def missing(resource_type: str, verb: str) -> str:
    """The handler's sentence when the caller may not have this done; else empty."""
    action = _ACTIONS.get(resource_type, ("", "", ""))[_VERBS.index(verb)]
    refusal = permissions.lacking(action) if action else ""
    if not refusal:
        return ""
    service = resource_type.split("::")[1]
    said = f"{refusal} (Service: {service}, Status Code: 400)"
    return f'Resource handler returned message: "{said}" (HandlerErrorCode: AccessDenied)'
