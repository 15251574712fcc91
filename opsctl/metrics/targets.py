"""Find what there is to measure: the stacks' outputs, and the zones of the load balancer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.metrics.catalogue import Targets

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_ec2.client import EC2Client

    from opsctl.config.model import Db, Ecs, Logs, Network

# dimension -> output of the ecs stack
_OUTPUTS = {
    "ClusterName": "ClusterName",
    "ServiceName": "ServiceName",
    "LoadBalancer": "LoadBalancerFullName",
    "TargetGroup": "TargetGroupFullName",
    "AutoScalingGroupName": "AutoScalingGroupName",
}


def find(
    cloudformation: "CloudFormationClient",
    ec2: "EC2Client",
    *,
    system: str,
    ecs: "Ecs",
    db: "Db",
    logs: "Logs",
    network: "Network",
) -> Targets:
    """Names that AWS makes come from the stacks, the others from the config where there is none."""
    service, store = (outputs(cloudformation, f"{system}-{stack}") for stack in ("ecs", "db"))
    dimensions = {name: service.get(output, "") for name, output in _OUTPUTS.items()}
    dimensions["ClusterName"] = dimensions["ClusterName"] or ecs.cluster_name
    dimensions["ServiceName"] = dimensions["ServiceName"] or ecs.service_name
    dimensions["CacheClusterId"] = store.get("CacheClusterId", db.name)
    dimensions["CacheNodeId"] = "0001"
    return Targets(
        dimensions,
        {"app": logs.app, "stdout": logs.stdout, "ecs": logs.ecs, "agent": logs.agent},
        zones(ec2, network.load_balancer_subnets or network.subnets)
        if dimensions["LoadBalancer"]
        else (),
        replicated=db.nodes > 1,
    )


def outputs(cloudformation: "CloudFormationClient", stack: str) -> Mapping[str, str]:
    """The outputs of a stack; none when it is not there."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except Exception as error:
        if aws.code(error) == "ValidationError":
            return {}
        raise
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def zones(ec2: "EC2Client", subnets: Sequence[str]) -> Sequence[str]:
    """By the subnets, not by ListMetrics: a zone without a host is the one to see a gap in."""
    try:
        found = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    except Exception as error:
        if aws.code(error) == "InvalidSubnetID.NotFound":
            return ()
        raise
    return sorted({subnet["AvailabilityZone"] for subnet in found})
