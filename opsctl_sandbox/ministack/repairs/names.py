"""Find out whether resources exist, by the names that CloudFormation knows them by."""

from collections.abc import Mapping
from typing import Any

from ministack.services import (
    alb,
    cloudwatch,
    cloudwatch_logs,
    ec2,
    ecr,
    elasticache,
    iam,
    s3,
    sns,
    ssm,
)

from opsctl_sandbox.ministack import security_group_rules

# Types identified by their name (`primaryIdentifier` of the schema): the template's property, and
# ministack's store by that name.
_STORES: dict[str, tuple[str, Any]] = {
    "AWS::ECR::Repository": ("RepositoryName", ecr._repositories),
    "AWS::ElastiCache::CacheCluster": ("ClusterName", elasticache._clusters),
    "AWS::ElastiCache::ReplicationGroup": ("ReplicationGroupId", elasticache._replication_groups),
    "AWS::ElastiCache::SubnetGroup": ("CacheSubnetGroupName", elasticache._subnet_groups),
    "AWS::IAM::InstanceProfile": ("InstanceProfileName", iam._instance_profiles),
    "AWS::IAM::Role": ("RoleName", iam._roles),
    "AWS::Logs::LogGroup": ("LogGroupName", cloudwatch_logs._log_groups),
    "AWS::S3::Bucket": ("BucketName", s3._buckets),
    "AWS::SSM::Parameter": ("Name", ssm._parameters),
}
# Other types of opsctl's stacks, with stores by AWS's physical id.
_BY_ID: dict[str, Any] = {
    "AWS::CloudWatch::Alarm": cloudwatch._alarms,
    "AWS::CloudWatch::Dashboard": cloudwatch._dashboards,
    "AWS::EC2::LaunchTemplate": ec2._launch_templates,
    "AWS::EC2::SecurityGroup": ec2._security_groups,
    "AWS::ElasticLoadBalancingV2::Listener": alb._listeners,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": alb._lbs,
    "AWS::ElasticLoadBalancingV2::TargetGroup": alb._tgs,
    "AWS::SNS::Topic": sns._topics,
}


def property_of(resource_type: str) -> str:
    """Return the property that names a resource of this type; '' for other types."""
    return _STORES[resource_type][0] if resource_type in _STORES else ""


def named(resource_type: str, properties: Mapping[str, Any]) -> str:
    """Return the name that a template gives a resource of these types; '' for none."""
    value = properties.get(property_of(resource_type))
    return value if isinstance(value, str) else ""


def exists(resource_type: str, name: str) -> bool:
    """Return whether the calling account has it. Only for types that `property_of` knows."""
    return _STORES[resource_type][1].get(name) is not None


def is_there(resource_type: str, physical_id: str) -> bool | None:
    """Return whether what a stack created still exists; None for types that are not known here."""
    if resource_type in _STORES:
        return exists(resource_type, physical_id)
    if resource_type == security_group_rules.TYPE:
        return security_group_rules.is_there(physical_id)
    store = _BY_ID.get(resource_type)
    return None if store is None else store.get(physical_id) is not None
