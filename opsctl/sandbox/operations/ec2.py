"""EC2: the simulated instances of Auto Scaling groups, beside whatever ministack has."""

import base64
from typing import Any

from opsctl.sandbox.calls import Call, Forward, Refused, Structure
from opsctl.sandbox.cluster.values import Instance
from opsctl.sandbox.operations.simulation import Simulation

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
        "Architecture": "x86_64",
        "RootDeviceName": "/dev/xvda",
        "Tags": [{"Key": "aws:autoscaling:groupName", "Value": value.group}],
    }
    if value.state in ("shutting-down", "terminated"):
        answer["StateTransitionReason"] = "User initiated"
        answer["StateReason"] = {
            "Code": "Client.UserInitiatedShutdown",
            "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
        }
    return answer


def _passes(value: Instance, filters: list[Answer]) -> bool:
    fields = {
        "instance-id": value.id,
        "instance-state-name": value.state,
        "instance-type": value.instance_type,
        "availability-zone": value.zone,
        "subnet-id": value.subnet,
        "tag:aws:autoscaling:groupName": value.group,
    }
    return all(fields.get(f["Name"]) in f.get("Values", ()) for f in filters)


async def describe_instances(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    ids = list(asked.get("InstanceIds") or ())
    mine = [
        i
        for i in world.instances.values()
        if (not ids or i.id in ids) and _passes(i, list(asked.get("Filters") or ()))
    ]
    foreign = [i for i in ids if i not in world.instances]
    answer: Answer = {"Reservations": []}
    if foreign or not ids:
        answer = await forward({**asked, "InstanceIds": foreign} if ids else asked)
    answer["Reservations"] = list(answer.get("Reservations", ())) + [
        {
            "ReservationId": i.id.replace("i-", "r-"),
            "OwnerId": world.account,
            "Instances": [_instance(simulation, i)],
        }
        for i in mine
    ]
    return answer


async def get_console_output(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    world, asked = simulation.world(), call.parameters
    found = world.instances.get(asked["InstanceId"])
    if found is None:
        return await forward(asked)
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
            raise Refused(
                "InvalidInstanceID.NotFound", f"The instance ID '{identifier}' does not exist"
            )
        before = {"Code": _CODES[found.state], "Name": found.state}
        simulation.engine.terminate_instance(identifier)
        after = {"Code": _CODES[found.state], "Name": found.state}
        changes.append({"InstanceId": identifier, "PreviousState": before, "CurrentState": after})
    return {"TerminatingInstances": changes}


OPERATIONS = {
    "DescribeInstances": describe_instances,
    "GetConsoleOutput": get_console_output,
    "TerminateInstances": terminate_instances,
}
