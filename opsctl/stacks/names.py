"""The resource names in our templates, and what CloudFormation forbids because of them. Pure."""

from collections.abc import Container, Iterable, Mapping

from opsctl.config.sources import SOURCES
from opsctl.errors import OpsError
from opsctl.snapshot.stacks import StackResource
from opsctl.snapshot.taken import Named
from opsctl.stacks.changes import Plan
from opsctl.stacks.template import read

GROUP = "AWS::EC2::SecurityGroup"
# Resource type -> the property that holds its name.
_NAME: Mapping[str, str] = {
    GROUP: "GroupName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ElastiCache::CacheCluster": "ClusterName",
    "AWS::ElastiCache::ReplicationGroup": "ReplicationGroupId",
    "AWS::ElastiCache::SubnetGroup": "CacheSubnetGroupName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
# Resource type -> the property that says within what its name is unique.
_WITHIN: Mapping[str, str] = {GROUP: "VpcId", "AWS::ECS::Service": "Cluster"}
# Logical id -> the config key that sets the name.
_KEYS: Mapping[str, str] = {
    "CacheCluster": "db.name",
    "Cluster": "ecs.cluster_name",
    "InstanceProfile": "compute.instance_profile_name",
    "InstanceSecurityGroup": "compute.security_group_name",
    "LoadBalancer": "load_balancer.name",
    "LoadBalancerSecurityGroup": "load_balancer.security_group_name",
    "ReplicationGroup": "db.name",
    "Repository": "image.repository",
    "SecurityGroup": "db.security_group_name",
    "Service": "ecs.service_name",
    "ServiceRole": "ecs.service_role.name",
    "SubnetGroup": "db.subnet_group_name",
    "TargetGroup": "load_balancer.target_group_name",
    **{source.logical_id: f"logs.{source.name}" for source in SOURCES},
}
# Types that templates leave without a name -> the beginning of ids by which they can be looked for.
# (The id of an old security group rule is no more than its logical id.)
_IDS: Mapping[str, str] = {
    "AWS::AutoScaling::AutoScalingGroup": "",
    "AWS::EC2::LaunchTemplate": "lt-",
    "AWS::EC2::SecurityGroupIngress": "sgr-",
    "AWS::IAM::Role": "",
}
# Types that a stack may take over whatever their settings are.
IMPORTABLE = {"AWS::Logs::LogGroup", "AWS::ECR::Repository"}


def of_template(template: str) -> tuple[Named, ...]:
    """Return every resource whose name is written in the template."""
    if not template:
        return ()
    resources = read(template)["Resources"]

    def value(logical_id: str, names: Mapping[str, str]) -> str:
        """Return a property that is a text or refers to a resource with a name, else ''."""
        resource = resources.get(logical_id, {})
        text = resource.get("Properties", {}).get(names.get(resource.get("Type", ""), ""))
        if isinstance(text, Mapping) and "Ref" in text:
            return value(text["Ref"], _NAME)
        return text if isinstance(text, str) else ""

    return tuple(
        Named(logical_id, resource["Type"], name, value(logical_id, _WITHIN))
        for logical_id, resource in resources.items()
        if (name := value(logical_id, _NAME))
    )


def key(one: Named) -> str:
    """Return the config key that sets the name, or ''."""
    return _KEYS.get(one.logical_id, "")


def made(named: Iterable[Named], held: Mapping[str, str]) -> tuple[Named, ...]:
    """Return those of `named` that the stack created. `held` maps logical ids to physical ids.

    A physical id is the name, an ARN that contains the name, or the id of a security group, which
    is returned whatever its name is.
    """
    return tuple(
        one
        for one in named
        if one.name in (id := held.get(one.logical_id, "")) or id.startswith("sg-")
    )


def without_name(resources: Iterable[StackResource], named: Iterable[Named]) -> tuple[Named, ...]:
    """Return the stack's resources that can be looked for by their ids, and have no name here."""
    known = {one.logical_id for one in named}
    return tuple(
        Named(one.logical_id, one.resource_type, one.physical_id)
        for one in resources
        if one.resource_type in _IDS and one.logical_id not in known
        if one.physical_id and one.physical_id.startswith(_IDS[one.resource_type])
    )


def require_possible(plan: Plan) -> None:
    """Raise OpsError for a replacement that CloudFormation would refuse during the update.

    Its words: "CloudFormation cannot update a stack when a custom-named resource requires
    replacing. Rename … and update the stack again."

    Source: https://repost.aws/knowledge-center/cloudformation-custom-name
    """
    named = {one.logical_id: one for one in of_template(plan.stack.template)}
    for change in plan.changes:
        one = named.get(change.logical_id)
        if one is None or not change.replaces:
            continue
        causes = {prop.name for prop in change.properties if prop.recreates}
        if _NAME[one.type] in causes:
            continue
        key = _KEYS.get(one.logical_id, "")
        raise OpsError(
            f"{one.logical_id} would be replaced because of {', '.join(sorted(causes))}, "
            f"and CloudFormation does not replace what keeps its name (`{one.name}`)",
            hint=f"set another `{key}` in opsctl.yaml, or take that change back",
            cause="replacement-refused",
        )


def require_free(
    taken: Iterable[Named], stack: str, command: str, *, replaced: Container[str] = ()
) -> None:
    """Raise OpsError with a list of what already exists under the template's names.

    `replaced` are logical ids that the stack holds under other names: it cannot take over another
    resource for one of them.
    """
    there = tuple(one for one in taken if one.certain)
    if not there:
        return
    things = "; ".join(f"{one.type} `{one.name}`" for one in there)
    importable = {one for one in there if one.type in IMPORTABLE and one.logical_id not in replaced}
    if all(one in importable for one in there):
        hint = f"opsctl {command} up --import: the stack takes them over as they are"
    else:
        keys = [_KEYS.get(one.logical_id, "") for one in there if one not in importable]
        hint = (
            f"set {', '.join(f'`{key}`' for key in keys if key)} in opsctl.yaml, "
            "or remove them yourself"
        )
    raise OpsError(
        f"`{stack}` cannot make what exists already: {things}", hint=hint, cause="name-exists"
    )
