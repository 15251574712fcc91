"""Lists in pages where ministack gives them whole or takes any token, and the refusals and filters
that belong to them."""

from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure
from opsctl_sandbox.wire.paging import paged

_ECR, _LOGS = "InvalidParameterException", "InvalidParameterException"


async def describe_images(call: Call, ministack: Forward) -> Structure:
    """An image that is asked for and is not there is an error; `tagStatus` chooses."""
    answer = await ministack(call.parameters)
    found = list(answer.get("imageDetails", ()))
    for wanted in call.parameters.get("imageIds") or ():
        if not any(_is(image, wanted) for image in found):
            name = call.parameters["repositoryName"]
            raise Refused(
                "ImageNotFoundException",
                f"The image with imageId {dict(wanted)} does not exist within the repository with "
                f"name '{name}' in the registry with id '{call.account}'",
            )
    status = (call.parameters.get("filter") or {}).get("tagStatus", "ANY")
    kept = [i for i in found if status == "ANY" or bool(i.get("imageTags")) == (status == "TAGGED")]
    return {**answer, "imageDetails": kept}


def _is(image: Structure, wanted: Structure) -> bool:
    if "imageDigest" in wanted and image.get("imageDigest") != wanted["imageDigest"]:
        return False
    return "imageTag" not in wanted or wanted["imageTag"] in image.get("imageTags", ())


async def describe_target_groups(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    found = {group["TargetGroupName"] for group in answer.get("TargetGroups", ())}
    if not found.issuperset(call.parameters.get("Names") or ()):
        raise Refused("TargetGroupNotFound", "One or more target groups not found")
    return answer


async def describe_log_streams(call: Call, ministack: Forward) -> Structure:
    asked = call.parameters
    if asked.get("orderBy") == "LastEventTime" and asked.get("logStreamNamePrefix"):
        raise Refused(_LOGS, "Cannot order by LastEventTime with a logStreamNamePrefix.")
    return await ministack(asked)


OPERATIONS: Operations = {
    ("ecr", "DescribeImages"): paged(size=100, most=1000, code=_ECR, whole=describe_images),
    ("ecr", "DescribeRepositories"): paged(size=100, most=1000, code=_ECR),
    ("ecr", "ListImages"): paged(size=100, most=1000, code=_ECR),
    ("elasticache", "DescribeCacheClusters"): paged(size=100, code="InvalidParameterValue"),
    ("elasticloadbalancing", "DescribeListeners"): paged(size=400, code="ValidationError"),
    ("elasticloadbalancing", "DescribeLoadBalancers"): paged(size=400, code="ValidationError"),
    ("elasticloadbalancing", "DescribeTargetGroups"): paged(
        size=400, code="ValidationError", whole=describe_target_groups
    ),
    ("logs", "DescribeLogGroups"): paged(size=50, code=_LOGS),
    ("logs", "DescribeLogStreams"): paged(size=50, code=_LOGS, whole=describe_log_streams),
}
