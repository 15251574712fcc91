"""Application Auto Scaling of a service: target tracking changes its desired count.

Source:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
"""

from dataclasses import replace
from math import ceil

from opsctl_sandbox.cluster.values import ScalableTarget, Service, TrackingPolicy
from opsctl_sandbox.cluster.world import World

MINUTE = 60.0
# ECS's predefined metric types -> names of metrics.
PREDEFINED = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
# Target tracking creates two alarms: one for three minutes above the target, one for fifteen
# minutes below nine tenths of it.
OUT_AFTER, IN_AFTER, IN_BELOW = 3, 15, 0.9


def bound(world: World, target: ScalableTarget) -> None:
    """Bring the count within the bounds, as each registration of a target does.

    Source: RegisterScalableTarget, "it changes the resource's current capacity to a value that is
    inside of this range".
    """
    service = world.services.get((target.cluster, target.service))
    if service is not None and service.status == "ACTIVE":
        count = min(max(service.spec.desired, target.minimum), target.maximum)
        service.spec = replace(service.spec, desired=count)


def tick(world: World, target: ScalableTarget) -> None:
    """Check the metrics once, and schedule the next check a minute later."""
    if world.scalable.get((target.cluster, target.service)) is not target:
        return
    service = world.services.get((target.cluster, target.service))
    if service is not None and service.status == "ACTIVE":
        for policy in target.policies.values():
            _measure(world, target, policy)
        _scale(world, target, service)
    world.after(MINUTE, tick, world, target)


def _measure(world: World, target: ScalableTarget, policy: TrackingPolicy) -> None:
    key = (target.cluster, target.service, policy.metric)
    policy.value = world.utilization.get(key)
    above = policy.value is not None and policy.value > policy.target
    below = policy.value is not None and policy.value < policy.target * IN_BELOW
    policy.above = policy.above + 1 if above else 0
    policy.below = policy.below + 1 if below else 0


def _scale(world: World, target: ScalableTarget, service: Service) -> None:
    """Scale out when one policy asks for it; in only when all do, and not during a deployment."""
    desired, policies = service.spec.desired, list(target.policies.values())
    wanted = [_wanted(one, desired) for one in policies]
    out = [w for one, w in zip(policies, wanted, strict=True) if one.above >= OUT_AFTER]
    shrinks = bool(policies) and all(one.below >= IN_AFTER for one in policies)
    if "DynamicScalingOutSuspended" in target.suspended:
        out = []
    if "DynamicScalingInSuspended" in target.suspended:
        shrinks = False
    if out and world.now >= target.out_again:
        count = min(max(out), target.maximum)
        target.out_again = world.now + world.timings.scaling_cooldown
    elif shrinks and world.now >= target.in_again and service.primary.rollout == "COMPLETED":
        count = max(max(wanted), target.minimum)
        target.in_again = world.now + world.timings.scaling_cooldown
    else:
        return
    service.spec = replace(service.spec, desired=max(count, target.minimum))


def _wanted(policy: TrackingPolicy, desired: int) -> int:
    return ceil(desired * policy.value / policy.target) if policy.value is not None else desired
