"""Page lists that ministack returns whole or with any token; add refusals and filters."""

from ministack.services import alb

from opsctl_sandbox.ministack import records
from opsctl_sandbox.ministack.repairs.network_attributes import without_http
from opsctl_sandbox.wire import models
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
    """Refuse what does not exist, and leave out what a TCP health check does not have."""
    balancer = call.parameters.get("LoadBalancerArn")
    if balancer and records.find(alb._lbs, balancer) is None:
        raise Refused("LoadBalancerNotFound", "One or more load balancers not found")
    answer = await ministack(call.parameters)
    names = {group["TargetGroupName"] for group in answer.get("TargetGroups", ())}
    if not names.issuperset(call.parameters.get("Names") or ()):
        raise Refused("TargetGroupNotFound", "One or more target groups not found")
    return {**answer, "TargetGroups": [without_http(one) for one in answer["TargetGroups"]]}


async def describe_load_balancers(call: Call, ministack: Forward) -> Structure:
    """Put each subnet in its own zone; ministack puts all of them in the first."""
    answer = await ministack(call.parameters)
    for balancer in answer.get("LoadBalancers", ()):
        for zone in balancer.get("AvailabilityZones", ()):
            zone["ZoneName"] = records.zone(zone["SubnetId"]) or zone["ZoneName"]
    return answer


async def describe_listeners(call: Call, ministack: Forward) -> Structure:
    """Refuse a load balancer and listeners that do not exist."""
    arn = call.parameters.get("LoadBalancerArn")
    if arn and records.find(alb._lbs, arn) is None:
        raise Refused("LoadBalancerNotFound", "One or more load balancers not found")
    listeners = call.parameters.get("ListenerArns") or ()
    if any(records.find(alb._listeners, one) is None for one in listeners):
        raise Refused("ListenerNotFound", "One or more listeners not found")
    return await ministack(call.parameters)


async def list_account_settings(call: Call, ministack: Forward) -> Structure:
    """Leave out the settings that ECS does not have, and name the others' type as it does."""
    answer = await ministack(call.parameters)
    known = models.values("ecs", "SettingName")
    settings = [
        one | {"type": "aws_managed" if one.get("type") == "aws" else "user"}
        for one in answer.get("settings", ())
        if one["name"] in known
    ]
    return {**answer, "settings": settings}


async def describe_log_streams(call: Call, ministack: Forward) -> Structure:
    request = call.parameters
    if request.get("orderBy") == "LastEventTime" and request.get("logStreamNamePrefix"):
        raise Refused(_LOGS, "Cannot order by LastEventTime with a logStreamNamePrefix.")
    return await ministack(request)


OPERATIONS: Operations = {
    ("ecr", "DescribeImages"): paged(size=100, most=1000, code=_ECR, whole=describe_images),
    ("ecr", "DescribeRepositories"): paged(size=100, most=1000, code=_ECR),
    ("ecr", "ListImages"): paged(size=100, most=1000, code=_ECR),
    ("ecs", "ListAccountSettings"): list_account_settings,
    ("elasticache", "DescribeCacheClusters"): paged(
        size=100, least=20, code="InvalidParameterValue"
    ),
    ("elasticloadbalancing", "DescribeListeners"): paged(
        size=400, code="ValidationError", whole=describe_listeners
    ),
    ("elasticloadbalancing", "DescribeLoadBalancers"): paged(
        size=400, code="ValidationError", whole=describe_load_balancers
    ),
    ("elasticloadbalancing", "DescribeTargetGroups"): paged(
        size=400, code="ValidationError", whole=describe_target_groups
    ),
    ("logs", "DescribeLogGroups"): paged(size=50, code=_LOGS),
    ("logs", "DescribeLogStreams"): paged(size=50, code=_LOGS, whole=describe_log_streams),
}
