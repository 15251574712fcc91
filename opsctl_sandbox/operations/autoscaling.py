"""Auto Scaling: ministack keeps the group's record, the simulation its instances and activities."""

from dataclasses import replace
from functools import partial
from typing import Any

from opsctl_sandbox.cluster import instances, user_data
from opsctl_sandbox.cluster.values import Activity, Group, GroupSpec, Instance
from opsctl_sandbox.ministack import records
from opsctl_sandbox.operations import lifecycle_hooks
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure
from opsctl_sandbox.wire.paging import paged

_pages = partial(paged, code="InvalidNextToken", size_code="ValidationError")
Answer = dict[str, Any]


def specification(name: str, region: str) -> GroupSpec:
    """Return the group's specification from ministack's record and its user data's cluster."""
    record = records.group(name) or {}
    launch = records.launch(record)
    text = launch.user_data
    subnets = tuple(s for s in str(record.get("VPCZoneIdentifier", "")).split(",") if s)
    zones = tuple(records.zone(s) or f"{region}a" for s in subnets)
    return GroupSpec(
        name=name,
        cluster=user_data.cluster(text),
        desired=int(record.get("DesiredCapacity", 0)),
        minimum=int(record.get("MinSize", 0)),
        maximum=int(record.get("MaxSize", 0)),
        zones=zones or tuple(record.get("AvailabilityZones") or (f"{region}a",)),
        subnets=subnets,
        instance_type=str(launch.data.get("InstanceType", "t3.small")),
        launch=launch.key,
        image=str(launch.data.get("ImageId", "")),
        script=user_data.read(text),
    )


# EnableMetricsCollection enables these when it names none.
GROUP_METRICS = frozenset(
    f"Group{name}"
    for name in (
        *("MinSize", "MaxSize", "DesiredCapacity", "InServiceInstances", "PendingInstances"),
        *("StandbyInstances", "TerminatingInstances", "TotalInstances"),
    )
)


def launch_anew(simulation: Simulation, region: str) -> None:
    """Update groups whose template's newest or default version has changed."""
    for group in simulation.world().groups.values():
        now = specification(group.spec.name, region)
        if now.launch != group.spec.launch:
            simulation.engine.update_group(replace(now, desired=group.desired))


def _state(instance: Instance) -> str:
    if instance.waits_for:
        return "Terminating:Wait"
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
    identifier, _, version = instance.launch.partition(":")
    if version:
        # An instance keeps the version that it was launched from.
        answer["LaunchTemplate"] = {
            **(record.get("LaunchTemplate") or {}),
            "LaunchTemplateId": identifier,
            "Version": version,
        }
    elif identifier:
        answer["LaunchConfigurationName"] = identifier
    return answer


async def describe_groups(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    async def whole(call: Call, forward: Forward) -> Structure:
        answer = await forward({k: v for k, v in call.parameters.items() if k != "Filters"})
        records = [_group(simulation, r) for r in answer.get("AutoScalingGroups", ())]
        for one in call.parameters.get("Filters") or ():
            records = [r for r in records if _tagged(r, one)]
        return {**answer, "AutoScalingGroups": records}

    return await _pages(size=50, most=100, whole=whole)(call, forward)


def _group(simulation: Simulation, record: Answer) -> Answer:
    world = simulation.world()
    group = world.groups.get(record["AutoScalingGroupName"])
    if group is None:
        return record
    mine = [
        _instance(i, record)
        for i in world.instances.values()
        if i.group == group.spec.name and i.state != "terminated"
    ]
    status = {"Status": "Delete in progress"} if group.deleting else {}
    metrics = [{"Metric": name, "Granularity": "1Minute"} for name in sorted(group.metrics)]
    suspended = [
        {
            "ProcessName": name,
            "SuspensionReason": f"User suspended at {simulation.wall(since):%Y-%m-%dT%H:%M:%SZ}",
        }
        for name, since in sorted(group.suspended.items())
    ]
    return {
        **record,
        "DesiredCapacity": group.desired,
        "Instances": mine,
        "EnabledMetrics": metrics,
        "SuspendedProcesses": suspended,
        **status,
    }


def _tagged(record: Answer, tag_filter: Structure) -> bool:
    name, values = tag_filter["Name"], tag_filter.get("Values", ())
    for tag in record.get("Tags", ()):
        key, value = tag.get("Key"), tag.get("Value")
        actual = {"tag-key": key, "tag-value": value, f"tag:{key}": value}.get(name)
        if actual is not None and actual in values:
            return True
    return False


async def describe_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Describe the simulation's instances only; those that ministack invents do not exist."""

    async def whole(call: Call, forward: Forward) -> Structure:
        ids, world = call.parameters.get("InstanceIds"), simulation.world()
        described = [
            _instance(i, records.group(i.group) or {}) | {"AutoScalingGroupName": i.group}
            for i in world.instances.values()
            if i.group in world.groups and i.state != "terminated" and (not ids or i.id in ids)
        ]
        return {"AutoScalingInstances": described}

    return await _pages(size=50, whole=whole)(call, forward)


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
    async def whole(call: Call, forward: Forward) -> Structure:
        world, request = simulation.world(), call.parameters
        name, ids = request.get("AutoScalingGroupName"), request.get("ActivityIds")
        known = world.groups
        if request.get("IncludeDeletedGroups"):
            known = {**world.deleted_groups, **known}
        if name and name not in known:
            raise lifecycle_hooks.no_group(name)
        groups = [known[name]] if name else list(known.values())
        everything = [a for g in groups for a in g.activities if not ids or a.id in ids]
        return {"Activities": [_activity(simulation, a) for a in everything]}

    return await _pages(size=100, whole=whole)(call, forward)


def _scale(simulation: Simulation, group: Group, desired: int) -> None:
    simulation.engine.update_group(replace(group.spec, desired=desired))


async def set_desired_capacity(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, request = simulation.world(), call.parameters
    group = world.groups.get(request["AutoScalingGroupName"])
    if group:
        desired = int(request["DesiredCapacity"])
        if not group.spec.minimum <= desired <= group.spec.maximum:
            side = "above max" if desired > group.spec.maximum else "below min"
            limit = group.spec.maximum if desired > group.spec.maximum else group.spec.minimum
            raise Refused(
                "ValidationError",
                f"New SetDesiredCapacity value {desired} is {side} value {limit} "
                "for the AutoScalingGroup.",
            )
    answer = await forward(request)
    if group:
        _scale(simulation, group, int(request["DesiredCapacity"]))
    return answer


async def create_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    request = call.parameters
    _within(int(request["MinSize"]), int(request["MaxSize"]), request.get("DesiredCapacity"))
    answer = await forward(request)
    simulation.world()
    simulation.engine.create_group(specification(request["AutoScalingGroupName"], call.region))
    return answer


async def update_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    request = call.parameters
    group = simulation.world().groups.get(request["AutoScalingGroupName"])
    if group:
        least = int(request.get("MinSize", group.spec.minimum))
        most = int(request.get("MaxSize", group.spec.maximum))
        _within(least, most, request.get("DesiredCapacity"))
    answer = await forward(request)
    if request.get("LaunchTemplate"):
        records.launch_from(request["AutoScalingGroupName"], request["LaunchTemplate"])
    if group:
        spec = specification(group.spec.name, call.region)
        if "DesiredCapacity" not in request:
            spec = replace(spec, desired=group.desired)
        simulation.engine.update_group(spec)
    return answer


def _within(least: int, most: int, desired: int | None) -> None:
    if least > most:
        raise Refused(
            "ValidationError",
            f"Max bound, {most}, must be greater than or equal to min bound, {least}",
        )
    if desired is not None and not least <= int(desired) <= most:
        raise Refused(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{least} and "
            f"max size:{most}",
        )


async def delete_group(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    request = call.parameters
    name = request["AutoScalingGroupName"]
    world = simulation.world()
    if name not in world.groups and records.group(name) is None:
        raise Refused(
            "ValidationError",
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found",
        )
    if name in world.groups:
        if instances.of_group(world, name) and not request.get("ForceDelete"):
            raise Refused(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending "
                "Spot instance request(s) still in the group.",
            )
        simulation.engine.delete_group(name, force=bool(request.get("ForceDelete")))
    return await forward(request)


async def terminate(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, request = simulation.world(), call.parameters
    if "InstanceId" not in request:
        raise Refused("ValidationError", "the sandbox ends one instance at a time: use InstanceId")
    instance = world.instances.get(request["InstanceId"])
    if instance is None or instance.group not in world.groups:
        raise Refused(
            "ValidationError",
            "Instance Id not found - No managed instance found for instance ID: "
            f"{request['InstanceId']}",
        )
    group = world.groups[instance.group]
    if request.get("ShouldDecrementDesiredCapacity"):
        if group.desired <= group.spec.minimum:
            raise Refused(
                "ValidationError",
                f"Currently, desiredSize equals minSize ({group.spec.minimum}). Terminating "
                "instance without replacement will violate group's min size constraint. Either "
                "set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            )
        group.desired -= 1
    simulation.engine.end_instance(instance.id)
    ending = f"Terminating EC2 instance: {instance.id}"
    [activity, *_] = [a for a in group.activities if a.description == ending]
    return {"Activity": _activity(simulation, activity)}


PROCESSES = (
    *("Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance"),
    *("HealthCheck", "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions"),
)


async def suspend_processes(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    simulation.engine.suspend(*_processes(simulation, call))
    return {}


async def resume_processes(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    simulation.engine.resume(*_processes(simulation, call))
    return {}


def _processes(simulation: Simulation, call: Call) -> tuple[str, list[str]]:
    """Return the group, and the processes that the call names, or all."""
    name = call.parameters["AutoScalingGroupName"]
    if name not in simulation.world().groups:
        raise lifecycle_hooks.no_group(name)
    named = list(call.parameters.get("ScalingProcesses") or PROCESSES)
    for one in named:
        if one not in PROCESSES:
            raise Refused("ValidationError", f"{one} is not a valid scaling process")
    return name, named


async def enable_metrics(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    group, names = _measured(simulation, call)
    group.metrics |= names
    return {}


async def disable_metrics(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    group, names = _measured(simulation, call)
    group.metrics -= names
    return {}


def _measured(simulation: Simulation, call: Call) -> tuple[Group, frozenset[str]]:
    name = call.parameters["AutoScalingGroupName"]
    group = simulation.world().groups.get(name)
    if group is None:
        raise lifecycle_hooks.no_group(name)
    return group, frozenset(call.parameters.get("Metrics") or GROUP_METRICS)


async def not_simulated(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Refuse a call that ministack would accept without doing anything."""
    raise Refused("InvalidAction", f"the sandbox has no autoscaling {call.operation}")


OPERATIONS = {
    **lifecycle_hooks.OPERATIONS,
    "DescribeAutoScalingGroups": describe_groups,
    "DescribeAutoScalingInstances": describe_instances,
    "DescribeScalingActivities": describe_activities,
    "SetDesiredCapacity": set_desired_capacity,
    "CreateAutoScalingGroup": create_group,
    "UpdateAutoScalingGroup": update_group,
    "DeleteAutoScalingGroup": delete_group,
    "TerminateInstanceInAutoScalingGroup": terminate,
    "SuspendProcesses": suspend_processes,
    "ResumeProcesses": resume_processes,
    "EnableMetricsCollection": enable_metrics,
    "DisableMetricsCollection": disable_metrics,
    "SetInstanceProtection": not_simulated,
    "SetInstanceHealth": not_simulated,
    "StartInstanceRefresh": not_simulated,
    "AttachInstances": not_simulated,
    "EnterStandby": not_simulated,
    "ExitStandby": not_simulated,
    "PutWarmPool": not_simulated,
}
