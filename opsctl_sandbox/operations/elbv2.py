"""Elastic Load Balancing: the targets that ECS registered."""

from typing import Any

from opsctl_sandbox.cluster.values import Target
from opsctl_sandbox.ministack import load_balancers
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Structure

Answer = dict[str, Any]


def _described(simulation: Simulation, target: Target) -> Answer:
    instance = simulation.engine.world.instances.get(target.instance)
    state, reason, description = target.state, target.reason, target.description
    if state != "draining" and not load_balancers.has_listener(target.target_group):
        state, reason = "unused", "Target.NotInUse"
        description = "Target group is not configured to receive traffic from the load balancer"
    health: Answer = {"State": state}
    if reason:
        health |= {"Reason": reason, "Description": description}
    where: Answer = {"Id": target.instance, "Port": target.port}
    if instance:
        where["AvailabilityZone"] = instance.zone
    return {"Target": where, "HealthCheckPort": str(target.port), "TargetHealth": health}


async def describe_target_health(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Describe ministack's own targets (registered by hand) and those of ECS services."""
    answer = await forward(call.parameters)
    world, request = simulation.world(), call.parameters
    keys = {(t["Id"], t.get("Port")) for t in request.get("Targets") or ()}
    mine = [
        t
        for t in world.targets.values()
        if t.target_group == request["TargetGroupArn"]
        and (not keys or (t.instance, t.port) in keys or (t.instance, None) in keys)
    ]
    known = {(t.instance, t.port) for t in mine}
    others = [
        d
        for d in answer.get("TargetHealthDescriptions", ())
        if (d["Target"]["Id"], d["Target"].get("Port")) not in known
    ]
    described = others + [_described(simulation, t) for t in mine]
    there = {
        (d["Target"]["Id"], port) for d in described for port in (d["Target"].get("Port"), None)
    }
    strangers = [_stranger(t) for t in request.get("Targets") or () if _key(t) not in there]
    return {"TargetHealthDescriptions": described + strangers}


def _key(target: Structure) -> tuple[str, int | None]:
    return target["Id"], target.get("Port")


def _stranger(target: Structure) -> Answer:
    """Describe a requested target that is not registered."""
    health = {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    return {"Target": dict(target), "TargetHealth": health}


async def deregister_targets(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Deregister ministack's own targets and those of ECS services, which stay without."""
    answer = await forward(call.parameters)
    simulation.world()  # up to now
    group = call.parameters["TargetGroupArn"]
    for target in call.parameters.get("Targets") or ():
        simulation.engine.deregister_target(group, *_key(target))
    return answer


OPERATIONS = {
    "DescribeTargetHealth": describe_target_health,
    "DeregisterTargets": deregister_targets,
}
