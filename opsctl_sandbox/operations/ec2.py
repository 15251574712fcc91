"""EC2: the simulated instances of Auto Scaling groups, beside whatever ministack has."""

import base64
import fnmatch
from typing import Any

from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.ministack import records
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure
from opsctl_sandbox.wire.paging import paged

Answer = dict[str, Any]
_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


def _instance(simulation: Simulation, value: Instance) -> Answer:
    answer: Answer = {
        "InstanceId": value.id,
        "ImageId": "ami-0ec5ecs0sandbox00",
        "InstanceType": value.instance_type,
        "State": {"Code": _CODES[value.state], "Name": value.state},
        "LaunchTime": simulation.wall(value.launched),
        "Placement": {"AvailabilityZone": value.zone, "Tenancy": "default"},
        "PrivateIpAddress": value.private_ip,
        "PrivateDnsName": f"ip-{value.private_ip.replace('.', '-')}.ec2.internal",
        "SubnetId": value.subnet,
        "VpcId": records.network(value.subnet) or "",
        "Architecture": "x86_64",
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
    """The group's own, and those that it hands on to its instances."""
    group = records.group(value.group) or {}
    handed = [
        {"Key": tag["Key"], "Value": tag["Value"]}
        for tag in group.get("Tags") or ()
        if str(tag.get("PropagateAtLaunch")).lower() == "true"
    ]
    return [*handed, {"Key": "aws:autoscaling:groupName", "Value": value.group}]


def _passes(described: Answer, filters: list[Answer]) -> bool:
    """Every filter, one of its values; `*` and `?` stand for any text and any character."""
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
            fnmatch.fnmatchcase(value, wanted)
            for value in fields.get(one["Name"], ())
            for wanted in one.get("Values", ())
        )
        for one in filters
    )


async def describe_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    async def whole(call: Call, forward: Forward) -> Structure:
        world, asked = simulation.world(), call.parameters
        ids = list(asked.get("InstanceIds") or ())
        foreign = [i for i in ids if i not in world.instances]
        answer: Answer = {"Reservations": []}
        if foreign or not ids:
            answer = await forward({**asked, "InstanceIds": foreign} if ids else asked)
        mine = [
            {
                "ReservationId": i["InstanceId"].replace("i-", "r-"),
                "OwnerId": world.account,
                "Instances": [i],
            }
            for i in _described(simulation, asked)
        ]
        return {"Reservations": [*answer.get("Reservations", ()), *mine]}

    return await paged(size=1000, code="InvalidParameterValue", whole=whole)(call, forward)


def _described(simulation: Simulation, asked: Structure) -> list[Answer]:
    ids, filters = asked.get("InstanceIds") or (), list(asked.get("Filters") or ())
    world = simulation.world()
    found = [_instance(simulation, i) for i in world.instances.values() if not ids or i.id in ids]
    return [one for one in found if _passes(one, filters)]


async def describe_status(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Only running ones, unless all are asked for."""

    async def whole(call: Call, forward: Forward) -> Structure:
        found = _described(simulation, call.parameters)
        if not call.parameters.get("IncludeAllInstances"):
            found = [one for one in found if one["State"]["Name"] == "running"]
        return {"InstanceStatuses": [_status(one) for one in found]}

    return await paged(size=1000, code="InvalidParameterValue", whole=whole)(call, forward)


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
    world, asked = simulation.world(), call.parameters
    found = world.instances.get(asked["InstanceId"])
    if found is None:
        raise _no_instance(asked["InstanceId"])
    text = "\n".join(found.console) + "\n"
    return {
        "InstanceId": found.id,
        "Output": base64.b64encode(text.encode()).decode(),
        "Timestamp": simulation.wall(world.now),
    }


async def terminate_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    changes: list[Answer] = []
    for identifier in asked["InstanceIds"]:
        found = world.instances.get(identifier)
        if found is None:
            raise _no_instance(identifier)
        before = {"Code": _CODES[found.state], "Name": found.state}
        simulation.engine.terminate_instance(identifier)
        after = {"Code": _CODES[found.state], "Name": found.state}
        changes.append({"InstanceId": identifier, "PreviousState": before, "CurrentState": after})
    return {"TerminatingInstances": changes}


OPERATIONS = {
    "DescribeInstances": describe_instances,
    "DescribeInstanceStatus": describe_status,
    "GetConsoleOutput": get_console_output,
    "TerminateInstances": terminate_instances,
}
