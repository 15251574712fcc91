from typing import Any

from opsctl.snapshot import instances
from tests.opsctl.snapshot.conftest import Stub

AMOUNTS = [
    {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
    {"name": "MEMORY", "type": "INTEGER", "integerValue": 3000},
    {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2376"]},
]


def instance(name: str, *, connected: bool, status: str = "ACTIVE") -> dict[str, Any]:
    return {
        "containerInstanceArn": name,
        "ec2InstanceId": f"i-{name}",
        "agentConnected": connected,
        "status": status,
        "remainingResources": AMOUNTS,
        "registeredResources": AMOUNTS,
        "attributes": [
            {"name": "ecs.availability-zone", "value": "us-east-1a"},
            {"name": "ecs.ami-id", "value": "ami-1"},
        ],
    }


def test_an_instance_has_what_remains_on_it_and_where_it_is(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("list_container_instances", {"containerInstanceArns": ["a", "b", "c"]})
    stubber.add_response(
        "describe_container_instances",
        {
            "containerInstances": [
                instance("a", connected=True),
                instance("b", connected=False),
                instance("c", connected=True, status="DRAINING"),
            ]
        },
    )
    first, *others = instances.read(ecs, "c")
    assert (first.id, first.cpu, first.memory) == ("i-a", 1024, 3000)
    assert first.ports == {22, 2376}
    assert (first.zone, first.image) == ("us-east-1a", "ami-1")
    assert first.takes_tasks and not any(one.takes_tasks for one in others)


def test_a_cluster_that_is_not_there_has_no_instances(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_client_error("list_container_instances", "ClusterNotFoundException")
    assert instances.read(ecs, "c") == ()


ACTIVITY = {"ActivityId": "a", "AutoScalingGroupName": "g", "Cause": "c", "StartTime": 0}


def test_the_refusal_of_a_group_is_the_newest_one_even_when_the_group_is_gone(stub: Stub) -> None:
    autoscaling, stubber = stub("autoscaling")
    stubber.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": []})
    activities = [
        {**ACTIVITY, "StatusCode": "Successful"},
        {**ACTIVITY, "StatusCode": "Failed", "StatusMessage": "no capacity"},
        {**ACTIVITY, "StatusCode": "Failed", "StatusMessage": "older"},
    ]
    stubber.add_response("describe_scaling_activities", {"Activities": activities})
    assert instances.group(autoscaling, "g").refusal == "no capacity"
