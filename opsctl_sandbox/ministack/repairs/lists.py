"""Page lists that ministack returns whole or with any token; add refusals and filters."""

from opsctl_sandbox.ministack import load_balancers, records
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure
from opsctl_sandbox.wire.paging import paged

_ECR, _LOGS = "InvalidParameterException", "InvalidParameterException"


async def describe_images(call: Call, ministack: Forward) -> Structure:
    """Refuse an image that does not exist, and filter by `tagStatus`."""
    answer = await ministack(call.parameters)
    images = list(answer.get("imageDetails", ()))
    for identifier in call.parameters.get("imageIds") or ():
        if not any(_is(image, identifier) for image in images):
            name = call.parameters["repositoryName"]
            raise Refused(
                "ImageNotFoundException",
                f"The image with imageId {dict(identifier)} does not exist within the repository "
                f"with name '{name}' in the registry with id '{call.account}'",
            )
    status = (call.parameters.get("filter") or {}).get("tagStatus", "ANY")
    kept = [
        i for i in images if status == "ANY" or bool(i.get("imageTags")) == (status == "TAGGED")
    ]
    return {**answer, "imageDetails": kept}


def _is(image: Structure, identifier: Structure) -> bool:
    if "imageDigest" in identifier and image.get("imageDigest") != identifier["imageDigest"]:
        return False
    return "imageTag" not in identifier or identifier["imageTag"] in image.get("imageTags", ())


async def describe_target_groups(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    names = {group["TargetGroupName"] for group in answer.get("TargetGroups", ())}
    if not names.issuperset(call.parameters.get("Names") or ()):
        raise Refused("TargetGroupNotFound", "One or more target groups not found")
    return answer


# D: attributes of a target group of a network load balancer, and their defaults.
_NETWORK = ("TCP", "TLS", "UDP", "TCP_UDP")
_ATTRIBUTES = {
    "deregistration_delay.connection_termination.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}


async def describe_target_group_attributes(call: Call, ministack: Forward) -> Structure:
    """Return those of a TCP group; ministack has the defaults of an HTTP group."""
    answer = await ministack(call.parameters)
    if load_balancers.protocol(call.parameters["TargetGroupArn"]) not in _NETWORK:
        return answer
    given = {one["Key"]: one["Value"] for one in answer.get("Attributes", ())}
    if given.get("stickiness.type") == "lb_cookie":
        del given["stickiness.type"]
    return {"Attributes": [{"Key": k, "Value": v} for k, v in {**_ATTRIBUTES, **given}.items()]}


async def describe_load_balancers(call: Call, ministack: Forward) -> Structure:
    """Put each subnet in its own zone; ministack puts all of them in the first."""
    answer = await ministack(call.parameters)
    for balancer in answer.get("LoadBalancers", ()):
        for zone in balancer.get("AvailabilityZones", ()):
            zone["ZoneName"] = records.zone(zone["SubnetId"]) or zone["ZoneName"]
    return answer


async def describe_log_streams(call: Call, ministack: Forward) -> Structure:
    request = call.parameters
    if request.get("orderBy") == "LastEventTime" and request.get("logStreamNamePrefix"):
        raise Refused(_LOGS, "Cannot order by LastEventTime with a logStreamNamePrefix.")
    return await ministack(request)


OPERATIONS: Operations = {
    ("ecr", "DescribeImages"): paged(size=100, most=1000, code=_ECR, whole=describe_images),
    ("ecr", "DescribeRepositories"): paged(size=100, most=1000, code=_ECR),
    ("ecr", "ListImages"): paged(size=100, most=1000, code=_ECR),
    ("elasticache", "DescribeCacheClusters"): paged(
        size=100, least=20, code="InvalidParameterValue"
    ),
    ("elasticloadbalancing", "DescribeListeners"): paged(size=400, code="ValidationError"),
    ("elasticloadbalancing", "DescribeLoadBalancers"): paged(
        size=400, code="ValidationError", whole=describe_load_balancers
    ),
    ("elasticloadbalancing", "DescribeTargetGroupAttributes"): describe_target_group_attributes,
    ("elasticloadbalancing", "DescribeTargetGroups"): paged(
        size=400, code="ValidationError", whole=describe_target_groups
    ),
    ("logs", "DescribeLogGroups"): paged(size=50, code=_LOGS),
    ("logs", "DescribeLogStreams"): paged(size=50, code=_LOGS, whole=describe_log_streams),
}
