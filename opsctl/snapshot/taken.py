"""Find out which of a template's resource names exist in the account already."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.aws.failed_calls import DENIED, UNKNOWN_CALLER
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from opsctl.aws import Clients


MACHINE_IMAGE = "AWS::EC2::Image"


@dataclass(frozen=True, slots=True)
class Named:
    """A resource with the name that its template sets. `within` is the VPC of a security group or
    the cluster of a service: their names are unique only there. Of a machine image, which no
    template has, it is the architecture.

    Without `certain` it may exist, but this caller is not allowed to know.
    """

    logical_id: str
    type: str
    name: str
    within: str = ""
    certain: bool = True


def read(clients: "Clients", wanted: Iterable[Named]) -> tuple[Named, ...]:
    """Return those that exist, or may exist."""
    there = together([partial(_there, clients, one) for one in wanted])
    return tuple(one for one in there if one is not None)


def _there(clients: "Clients", one: Named) -> Named | None:
    if one.type not in _EXISTS:
        return replace(one, certain=False)
    try:
        return one if _EXISTS[one.type](clients, one) else None
    except Exception as error:
        if aws.fault(error) != "refused":
            raise
        # Either it does not exist, or this caller may not know and CloudFormation will say so.
        denied = aws.code(error) in DENIED | UNKNOWN_CALLER
        return replace(one, certain=False) if denied else None


def _log_group(clients: "Clients", one: Named) -> bool:
    groups = clients.logs.describe_log_groups(logGroupNamePrefix=one.name, limit=50)
    return any(group.get("logGroupName") == one.name for group in groups["logGroups"])


def _repository(clients: "Clients", one: Named) -> Any:
    return clients.ecr.describe_repositories(repositoryNames=[one.name])["repositories"]


def _cluster(clients: "Clients", one: Named) -> bool:
    clusters = clients.ecs.describe_clusters(clusters=[one.name])["clusters"]
    return any(cluster.get("status") != "INACTIVE" for cluster in clusters)


def _load_balancer(clients: "Clients", one: Named) -> Any:
    return clients.elbv2.describe_load_balancers(Names=[one.name])["LoadBalancers"]


def _target_group(clients: "Clients", one: Named) -> Any:
    return clients.elbv2.describe_target_groups(Names=[one.name])["TargetGroups"]


def _security_group(clients: "Clients", one: Named) -> Any:
    return clients.ec2.describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": [one.name]},
            {"Name": "vpc-id", "Values": [one.within]},
        ]
    )["SecurityGroups"]


def _role(clients: "Clients", one: Named) -> Any:
    return clients.iam.get_role(RoleName=one.name)


def _instance_profile(clients: "Clients", one: Named) -> Any:
    return clients.iam.get_instance_profile(InstanceProfileName=one.name)


def _group(clients: "Clients", one: Named) -> Any:
    answer = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[one.name])
    return answer["AutoScalingGroups"]


def _launch_template(clients: "Clients", one: Named) -> Any:
    answer = clients.ec2.describe_launch_templates(LaunchTemplateIds=[one.name])
    return answer["LaunchTemplates"]


def _rule(clients: "Clients", one: Named) -> Any:
    answer = clients.ec2.describe_security_group_rules(SecurityGroupRuleIds=[one.name])
    return answer["SecurityGroupRules"]


def _cache_cluster(clients: "Clients", one: Named) -> Any:
    return clients.elasticache.describe_cache_clusters(CacheClusterId=one.name)["CacheClusters"]


def _replication_group(clients: "Clients", one: Named) -> Any:
    answer = clients.elasticache.describe_replication_groups(ReplicationGroupId=one.name)
    return answer["ReplicationGroups"]


def _subnet_group(clients: "Clients", one: Named) -> Any:
    answer = clients.elasticache.describe_cache_subnet_groups(CacheSubnetGroupName=one.name)
    return answer["CacheSubnetGroups"]


def _cache_user(clients: "Clients", one: Named) -> Any:
    return clients.elasticache.describe_users(UserId=one.name)["Users"]


def _cache_user_group(clients: "Clients", one: Named) -> Any:
    return clients.elasticache.describe_user_groups(UserGroupId=one.name)["UserGroups"]


def _topic(clients: "Clients", one: Named) -> Any:
    return clients.sns.get_topic_attributes(TopicArn=one.name)


def _image(clients: "Clients", one: Named) -> Any:
    filters: Any = [
        {"Name": "image-id", "Values": [one.name]},
        {"Name": "architecture", "Values": [one.within]},
    ]
    return clients.ec2.describe_images(Filters=filters)["Images"]


def _service(clients: "Clients", one: Named) -> bool:
    answer = clients.ecs.describe_services(cluster=one.within, services=[one.name])
    return any(service.get("status") != "INACTIVE" for service in answer["services"])


# Types on which a first creation fails most often; CloudFormation itself validates the rest.
_EXISTS: Mapping[str, "Callable[[Clients, Named], Any]"] = {
    "AWS::Logs::LogGroup": _log_group,
    "AWS::ECR::Repository": _repository,
    MACHINE_IMAGE: _image,
    "AWS::ECS::Cluster": _cluster,
    "AWS::ECS::Service": _service,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _target_group,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::IAM::Role": _role,
    "AWS::IAM::InstanceProfile": _instance_profile,
    "AWS::ElastiCache::CacheCluster": _cache_cluster,
    "AWS::ElastiCache::ReplicationGroup": _replication_group,
    "AWS::ElastiCache::SubnetGroup": _subnet_group,
    "AWS::ElastiCache::User": _cache_user,
    "AWS::ElastiCache::UserGroup": _cache_user_group,
    # No template names these; by their ids.
    "AWS::AutoScaling::AutoScalingGroup": _group,
    "AWS::EC2::LaunchTemplate": _launch_template,
    "AWS::EC2::SecurityGroupIngress": _rule,
    "AWS::SNS::Topic": _topic,
}
