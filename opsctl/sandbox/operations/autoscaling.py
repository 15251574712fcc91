"""Auto Scaling: ministack keeps the group's record, the simulation its instances and activities."""

from dataclasses import replace
from typing import Any

from opsctl.sandbox.calls import Call, Forward, Refused, Structure
from opsctl.sandbox.cluster import instances
from opsctl.sandbox.cluster.values import Activity, Group, GroupSpec, Instance
from opsctl.sandbox.operations import neighbours, userdata
from opsctl.sandbox.operations.simulation import Simulation

Answer = dict[str, Any]


def specification(name: str, region: str) -> GroupSpec:
    """The group as ministack recorded it; its user data says which cluster its instances join."""
    record = neighbours.group(name) or {}
    launch = neighbours.launch(record)
    subnets = tuple(s for s in str(record.get("VPCZoneIdentifier", "")).split(",") if s)
    zones = tuple(neighbours.zone(s) or f"{region}a" for s in subnets)
    return GroupSpec(
        name=name,
        cluster=userdata.cluster(str(launch.get("UserData", ""))),
        desired=int(record.get("DesiredCapacity", 0)),
        minimum=int(record.get("MinSize", 0)),
        maximum=int(record.get("MaxSize", 0)),
        zones=zones or tuple(record.get("AvailabilityZones") or (f"{region}a",)),
        subnets=subnets,
        instance_type=str(launch.get("InstanceType", "t3.small")),
        cooldown=float(record.get("DefaultCooldown", 300)),
    )


def _state(instance: Instance) -> str:
    return {"pending": "Pending", "running": "InService", "shutting-down": "Terminating"}[
        instance.state
    ]


def _instance(instance: Instance, record: Answer) -> Answer:
    answer: Answer = {
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "AvailabilityZone": instance.zone,
        "LifecycleState": _state(instance),
        "HealthStatus": "Healthy" if instance.state != "shutting-down" else "Unhealthy",
        "ProtectedFromScaleIn": False,
    }
    if record.get("LaunchTemplate"):
        answer["LaunchTemplate"] = record["LaunchTemplate"]
    return answer


async def describe_groups(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    answer = await forward(call.parameters)
    world = simulation.world()
    for record in answer.get("AutoScalingGroups", ()):
        name = record["AutoScalingGroupName"]
        group = world.groups.get(name)
        if group is None:
            continue
        record["DesiredCapacity"] = group.desired
        mine = [i for i in world.instances.values() if i.group == name and i.state != "terminated"]
        record["Instances"] = [_instance(i, record) for i in mine]
        if group.deleting:
            record["Status"] = "Delete in progress"
    return answer


def _activity(simulation: Simulation, value: Activity) -> Answer:
    start = simulation.wall(value.start)
    answer: Answer = {
        "ActivityId": value.id,
        "AutoScalingGroupName": value.group,
        "Description": value.description,
        "Cause": f"At {start:%Y-%m-%dT%H:%M:%SZ} {value.cause}",
        "StartTime": start,
        "StatusCode": value.status,
        "Progress": value.progress,
        "Details": "{}",
    }
    if value.message:
        answer["StatusMessage"] = value.message
    if value.end is not None:
        answer["EndTime"] = simulation.wall(value.end)
    return answer


async def describe_activities(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    name = asked.get("AutoScalingGroupName")
    known = world.groups
    if asked.get("IncludeDeletedGroups"):
        known = {**world.deleted_groups, **known}
    if name and name not in known:
        return await forward(asked)
    groups = [known[name]] if name else list(known.values())
    wanted = asked.get("ActivityIds")
    everything = [a for g in groups for a in g.activities if not wanted or a.id in wanted]
    start, size = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or 100)
    answer: Answer = {
        "Activities": [_activity(simulation, a) for a in everything[start : start + size]]
    }
    if start + size < len(everything):
        answer["NextToken"] = str(start + size)
    return answer


def _scale(simulation: Simulation, group: Group, desired: int) -> None:
    simulation.engine.update_group(replace(group.spec, desired=desired))


async def set_desired_capacity(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    group = world.groups.get(asked["AutoScalingGroupName"])
    if group:
        desired = int(asked["DesiredCapacity"])
        if not group.spec.minimum <= desired <= group.spec.maximum:
            side = "above max" if desired > group.spec.maximum else "below min"
            limit = group.spec.maximum if desired > group.spec.maximum else group.spec.minimum
            raise Refused(
                "ValidationError",
                f"New SetDesiredCapacity value {desired} is {side} value {limit} "
                "for the AutoScalingGroup.",
            )
    answer = await forward(asked)
    if group:
        _scale(simulation, group, int(asked["DesiredCapacity"]))
    return answer


async def create_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    answer = await forward(call.parameters)
    simulation.world()
    name = call.parameters["AutoScalingGroupName"]
    simulation.engine.create_group(specification(name, call.region))
    return answer


async def update_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    answer = await forward(call.parameters)
    name = call.parameters["AutoScalingGroupName"]
    if name in simulation.world().groups:
        simulation.engine.update_group(specification(name, call.region))
    return answer


async def delete_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    asked = call.parameters
    name = asked["AutoScalingGroupName"]
    world = simulation.world()
    if name in world.groups:
        if instances.of_group(world, name) and not asked.get("ForceDelete"):
            raise Refused(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending "
                "Spot instance request(s) still in the group.",
            )
        simulation.engine.delete_group(name)
    return await forward(asked)


async def terminate(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    found = world.instances.get(asked["InstanceId"])
    if found is None:
        return await forward(asked)
    group = world.groups.get(found.group)
    if group and asked.get("ShouldDecrementDesiredCapacity"):
        group.desired -= 1
    simulation.engine.terminate_instance(found.id)
    return {"Activity": _activity(simulation, group.activities[0])} if group else {}


OPERATIONS = {
    "DescribeAutoScalingGroups": describe_groups,
    "DescribeScalingActivities": describe_activities,
    "SetDesiredCapacity": set_desired_capacity,
    "CreateAutoScalingGroup": create_group,
    "UpdateAutoScalingGroup": update_group,
    "DeleteAutoScalingGroup": delete_group,
    "TerminateInstanceInAutoScalingGroup": terminate,
}
