"""Refuse what ministack takes without a word: what does not exist, and what is too long."""

from ministack.services import cloudwatch_logs, ssm

from opsctl_sandbox.ministack import records
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_STANDARD = 4096  # characters of a parameter's value
_TOO_LONG = (
    f"Standard tier parameters support a maximum parameter value of {_STANDARD} characters. To "
    "create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
    "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "parameter-store-advanced-parameters.html"
)
_NO_PATH = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin "
    'with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It '
    "must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ "
    "(underscore). Special characters are not allowed. All sub-paths, if specified, must use the "
    'forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)


async def tags_of_groups(call: Call, ministack: Forward) -> Structure:
    for tag in call.parameters["Tags"]:
        if records.group(str(tag.get("ResourceId"))) is None:
            name = tag.get("ResourceId")
            raise Refused(
                "ValidationError",
                f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found",
            )
    return await ministack(call.parameters)


async def put_parameter(call: Call, ministack: Forward) -> Structure:
    request = call.parameters
    known = records.find(ssm._parameters, request["Name"])
    tier = request.get("Tier") or ssm._default_tier(request, request["Value"], known)
    if tier == "Standard" and len(request["Value"]) > _STANDARD:
        raise Refused("ValidationException", _TOO_LONG)
    return await ministack(request)


async def parameters_by_path(call: Call, ministack: Forward) -> Structure:
    if not call.parameters["Path"].startswith("/"):
        raise Refused("ValidationException", _NO_PATH)
    return await ministack(call.parameters)


async def route_tables(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    if not call.parameters.get("Filters"):
        known = {one["RouteTableId"] for one in answer["RouteTables"]}
        for one in call.parameters.get("RouteTableIds") or ():
            if one not in known:
                sentence = f"The routeTable ID '{one}' does not exist"
                raise Refused("InvalidRouteTableID.NotFound", sentence)
    return answer


async def role(call: Call, ministack: Forward) -> Structure:
    return await _named(call, ministack, f"The role with name {call.parameters['RoleName']}")


async def instance_profile(call: Call, ministack: Forward) -> Structure:
    name = call.parameters["InstanceProfileName"]
    return await _named(call, ministack, f"Instance Profile {name}")


async def _named(call: Call, ministack: Forward, what: str) -> Structure:
    """Refuse what does not exist in AWS's words."""
    try:
        return await ministack(call.parameters)
    except Refused as error:
        if error.code != "NoSuchEntity":
            raise
        raise Refused(error.code, f"{what} cannot be found.", status=error.status) from error


async def stop_query(call: Call, ministack: Forward) -> Structure:
    query = call.parameters["queryId"]
    if records.find(cloudwatch_logs._queries, query) is None:
        raise Refused("ResourceNotFoundException", f"The specified query does not exist: {query}")
    return await ministack(call.parameters)


OPERATIONS: Operations = {
    ("autoscaling", "CreateOrUpdateTags"): tags_of_groups,
    ("autoscaling", "DeleteTags"): tags_of_groups,
    ("ec2", "DescribeRouteTables"): route_tables,
    ("iam", "GetInstanceProfile"): instance_profile,
    ("iam", "GetRole"): role,
    ("logs", "StopQuery"): stop_query,
    ("ssm", "GetParametersByPath"): parameters_by_path,
    ("ssm", "PutParameter"): put_parameter,
}
