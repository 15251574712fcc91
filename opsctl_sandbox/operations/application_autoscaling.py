"""Application Auto Scaling: the scalable targets of ECS services, and their policies.

Only target tracking is simulated, and only CloudFormation makes policies.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from opsctl_sandbox.cluster import scaling
from opsctl_sandbox.cluster.scaling import PREDEFINED
from opsctl_sandbox.cluster.values import ScalableTarget, TrackingPolicy
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure

Answer = dict[str, Any]
_DIMENSION = "ecs:service:DesiredCount"
_SUSPENDABLE = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


async def describe_targets(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    wanted = call.parameters.get("ResourceIds")
    described = [
        {
            **_whose(target),
            "MinCapacity": target.minimum,
            "MaxCapacity": target.maximum,
            "RoleARN": _role(call),
            "CreationTime": _made(simulation, target),
            "SuspendedState": {key: key in target.suspended for key in _SUSPENDABLE},
        }
        for target in _targets(simulation, call)
        if not wanted or _resource(target) in wanted
    ]
    return {"ScalableTargets": described}


async def describe_policies(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    wanted, named = call.parameters.get("ResourceId"), call.parameters.get("PolicyNames")
    described = [
        {
            **_whose(target),
            "PolicyARN": policy.arn,
            "PolicyName": name,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": _tracking(policy),
            "CreationTime": _made(simulation, target),
        }
        for target in _targets(simulation, call)
        for name, policy in target.policies.items()
        if (not wanted or _resource(target) == wanted) and (not named or name in named)
    ]
    return {"ScalingPolicies": described}


async def describe_activities(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Return no activities: the simulation keeps none."""
    _targets(simulation, call)
    return {"ScalingActivities": []}


async def register(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Make a target, or change the bounds and suspensions of one."""
    _targets(simulation, call)
    request, world = call.parameters, simulation.world()
    key = _key(str(request["ResourceId"]))
    if key not in world.services:
        raise _invalid(f"ECS service doesn't exist: {request['ResourceId']}")
    target = world.scalable.get(key)
    least = request.get("MinCapacity", target.minimum if target else None)
    most = request.get("MaxCapacity", target.maximum if target else None)
    if least is None or most is None:
        raise _invalid("MinCapacity and MaxCapacity are required for a new scalable target")
    if least > most:
        raise _invalid("Maximum capacity cannot be less than minimum capacity")
    if target is None:
        target = ScalableTarget(*key, least, most)
        simulation.engine.scale_service(target)
    target.minimum, target.maximum = least, most
    scaling.bound(world, target)
    for name, suspended in (request.get("SuspendedState") or {}).items():
        target.suspended = (target.suspended | {name}) if suspended else target.suspended - {name}
    return {}


async def deregister(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    _targets(simulation, call)
    resource = str(call.parameters["ResourceId"])
    if simulation.world().scalable.pop(_key(resource), None) is None:
        raise Refused(
            "ObjectNotFoundException",
            "No scalable target found for service namespace: ecs, resource ID: "
            f"{resource}, scalable dimension: {_DIMENSION}",
        )
    return {}


def _targets(simulation: Simulation, call: Call) -> Iterable[ScalableTarget]:
    """Return all targets. Raises Refused for a namespace other than `ecs`."""
    namespace = call.parameters["ServiceNamespace"]
    if namespace != "ecs":
        raise _invalid(f"the sandbox scales services of ECS, and nothing of {namespace}")
    return list(simulation.world().scalable.values())


def _resource(target: ScalableTarget) -> str:
    return f"service/{target.cluster}/{target.service}"


def _key(resource: str) -> tuple[str, str]:
    parts = resource.split("/")
    if len(parts) != 3 or parts[0] != "service":
        raise _invalid(f"Unsupported service resource: {resource}")
    return parts[1], parts[2]


def _whose(target: ScalableTarget) -> Answer:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": _resource(target),
        "ScalableDimension": _DIMENSION,
    }


def _made(simulation: Simulation, target: ScalableTarget) -> datetime:
    return simulation.wall(target.made)


def _role(call: Call) -> str:
    path = "aws-service-role/ecs.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_ECSService"
    return f"arn:aws:iam::{call.account}:role/{path}/{name}"


def _tracking(policy: TrackingPolicy) -> Answer:
    predefined = next((key for key, value in PREDEFINED.items() if value == policy.metric), None)
    metric = {"PredefinedMetricSpecification": {"PredefinedMetricType": predefined}}
    return {"TargetValue": policy.target, **(metric if predefined else {})}


def _invalid(text: str) -> Refused:
    return Refused("ValidationException", text)


OPERATIONS = {
    "DeregisterScalableTarget": deregister,
    "DescribeScalableTargets": describe_targets,
    "DescribeScalingActivities": describe_activities,
    "DescribeScalingPolicies": describe_policies,
    "RegisterScalableTarget": register,
}
