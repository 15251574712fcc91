"""What exists under the names that CloudFormation knows resources by."""

from typing import Any

from ministack.services import cloudwatch_logs, ecr, elasticache, iam, s3, ssm

# The types whose name is their identifier (`primaryIdentifier` of the schema): the property of a
# template, and ministack's store by that name.
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


def property_of(resource_type: str) -> str:
    """The property that names a resource of this type; empty for the other types."""
    return _STORES[resource_type][0] if resource_type in _STORES else ""


def exists(resource_type: str, name: str) -> bool:
    """Whether the account of this call has it; only for types that `property_of` knows."""
    return _STORES[resource_type][1].get(name) is not None
