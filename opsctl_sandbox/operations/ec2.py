"""EC2: the simulated instances of Auto Scaling groups, in addition to ministack's."""

import base64
import fnmatch
from typing import Any

from opsctl_sandbox.cluster import instance_types
from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.ministack import records
from opsctl_sandbox.operations import autoscaling
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure
from opsctl_sandbox.wire.paging import paged

Answer = dict[str, Any]
_CONSOLE = 64 * 1024  # bytes that EC2 keeps
_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


def _instance(simulation: Simulation, value: Instance) -> Answer:
    answer: Answer = {
        "InstanceId": value.id,
        "ImageId": value.image,
        "InstanceType": value.instance_type,
        "State": {"Code": _CODES[value.state], "Name": value.state},
        "LaunchTime": simulation.wall(value.launched),
        "Placement": {"AvailabilityZone": value.zone, "Tenancy": "default"},
        "PrivateIpAddress": value.private_ip,
        "PrivateDnsName": f"ip-{value.private_ip.replace('.', '-')}.ec2.internal",
        "SubnetId": value.subnet,
        "VpcId": records.network(value.subnet) or "",
        "Architecture": instance_types.architecture(value.instance_type),
        "RootDeviceName": "/dev/xvda",
        "Tags": _tags(value),
    }
    if value.state in ("shutting-down", "terminated"):
        answer["StateTransitionReason"] = "User initiated"
        answer["StateReason"] = {
            "Code": "Client.UserInitiatedShutdown",
            "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
        }
    return answer


def _tags(value: Instance) -> list[Answer]:
    """Return the group's own tag, and those that it passes on to its instances."""
    group = records.group(value.group) or {}
    handed = [
        {"Key": tag["Key"], "Value": tag["Value"]}
        for tag in group.get("Tags") or ()
        if str(tag.get("PropagateAtLaunch")).lower() == "true"
    ]
    return [*handed, {"Key": "aws:autoscaling:groupName", "Value": value.group}]


def _passes(described: Answer, filters: list[Answer]) -> bool:
    """Return whether every filter matches by one of its values, which may contain `*` and `?`."""
    tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    fields = {
        "availability-zone": [described["Placement"]["AvailabilityZone"]],
        "image-id": [described["ImageId"]],
        "instance-id": [described["InstanceId"]],
        "instance-state-code": [str(described["State"]["Code"])],
        "instance-state-name": [described["State"]["Name"]],
        "instance-type": [described["InstanceType"]],
        "private-dns-name": [described["PrivateDnsName"]],
        "private-ip-address": [described["PrivateIpAddress"]],
        "subnet-id": [described["SubnetId"]],
        "vpc-id": [described["VpcId"]],
        "tag-key": list(tags),
        **{f"tag:{key}": [value] for key, value in tags.items()},
    }
    return all(
        any(
            fnmatch.fnmatchcase(value, pattern)
            for value in fields.get(one["Name"], ())
            for pattern in one.get("Values", ())
        )
        for one in filters
    )


async def describe_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    async def whole(call: Call, forward: Forward) -> Structure:
        world, request = simulation.world(), call.parameters
        ids = list(request.get("InstanceIds") or ())
        foreign = [i for i in ids if i not in world.instances]
        answer: Answer = {"Reservations": []}
        if foreign or not ids:
            answer = await forward({**request, "InstanceIds": foreign} if ids else request)
        mine = [
            {
                "ReservationId": i["InstanceId"].replace("i-", "r-"),
                "OwnerId": world.account,
                "Instances": [i],
            }
            for i in _described(simulation, request)
        ]
        return {"Reservations": [*answer.get("Reservations", ()), *mine]}

    return await paged(size=1000, least=5, code="InvalidParameterValue", whole=whole)(call, forward)


def _described(simulation: Simulation, request: Structure) -> list[Answer]:
    ids, filters = request.get("InstanceIds") or (), list(request.get("Filters") or ())
    world = simulation.world()
    described = [
        _instance(simulation, i) for i in world.instances.values() if not ids or i.id in ids
    ]
    return [one for one in described if _passes(one, filters)]


async def describe_status(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Describe only running instances, unless the request includes all."""

    async def whole(call: Call, forward: Forward) -> Structure:
        described = _described(simulation, call.parameters)
        if not call.parameters.get("IncludeAllInstances"):
            described = [one for one in described if one["State"]["Name"] == "running"]
        return {"InstanceStatuses": [_status(one) for one in described]}

    return await paged(size=1000, least=5, code="InvalidParameterValue", whole=whole)(call, forward)


def _status(described: Answer) -> Answer:
    word = "ok" if described["State"]["Name"] == "running" else "not-applicable"
    details = [{"Name": "reachability", "Status": "passed"}] if word == "ok" else []
    return {
        "InstanceId": described["InstanceId"],
        "AvailabilityZone": described["Placement"]["AvailabilityZone"],
        "InstanceState": described["State"],
        "InstanceStatus": {"Status": word, "Details": details},
        "SystemStatus": {"Status": word, "Details": details},
    }


def _no_instance(identifier: str) -> Refused:
    return Refused("InvalidInstanceID.NotFound", f"The instance ID '{identifier}' does not exist")


async def get_console_output(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, request = simulation.world(), call.parameters
    instance = world.instances.get(request["InstanceId"])
    if instance is None:
        raise _no_instance(request["InstanceId"])
    latest = bool(request.get("Latest"))
    if latest and not instance_types.is_nitro(instance.instance_type):
        raise Refused(
            "UnsupportedOperation",
            "This instance type does not support retrieving the latest console logs. You can "
            "retrieve the latest console logs only for Nitro-based instances.",
        )
    at = world.now if latest else _posted(instance, world.now, world.timings.console_post)
    text = "".join(f"{line}\n" for written, line in instance.console if written <= at)
    return {
        "InstanceId": instance.id,
        "Output": base64.b64encode(text.encode()[-_CONSOLE:]).decode(),
        "Timestamp": simulation.wall(max(at, 0.0)),
    }


def _posted(instance: Instance, now: float, after: float) -> float:
    """Return the time up to which the buffered console is published, or -1.

    It is published some minutes after the boot, and at the end.
    """
    if instance.ended is not None:
        return instance.ended
    if instance.booted is None or now < instance.booted + after:
        return -1.0
    return instance.booted + after


async def launch_template_changed(
    simulation: Simulation, call: Call, forward: Forward
) -> Structure:
    answer = await forward(call.parameters)
    autoscaling.launch_anew(simulation, call.region)
    return answer


async def terminate_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, request = simulation.world(), call.parameters
    changes: list[Answer] = []
    for identifier in request["InstanceIds"]:
        instance = world.instances.get(identifier)
        if instance is None:
            raise _no_instance(identifier)
        before = {"Code": _CODES[instance.state], "Name": instance.state}
        simulation.engine.terminate_instance(identifier)
        after = {"Code": _CODES[instance.state], "Name": instance.state}
        changes.append({"InstanceId": identifier, "PreviousState": before, "CurrentState": after})
    return {"TerminatingInstances": changes}


async def not_simulated(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Refuse in words; ministack would not find an instance that is there."""
    for identifier in call.parameters["InstanceIds"]:
        if identifier not in simulation.world().instances:
            raise _no_instance(identifier)
    raise Refused("UnsupportedOperation", f"the sandbox has no ec2 {call.operation}")


OPERATIONS = {
    "DescribeInstances": describe_instances,
    "DescribeInstanceStatus": describe_status,
    "CreateLaunchTemplateVersion": launch_template_changed,
    "GetConsoleOutput": get_console_output,
    "ModifyLaunchTemplate": launch_template_changed,
    **dict.fromkeys(("RebootInstances", "StartInstances", "StopInstances"), not_simulated),
    "TerminateInstances": terminate_instances,
}
