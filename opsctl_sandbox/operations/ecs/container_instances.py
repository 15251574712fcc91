"""ECS container instances, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster import placement
from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import cluster_name, last, missing, several
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Structure

Answer = dict[str, Any]


def _instances(
    simulation: Simulation, request: Structure
) -> tuple[list[Instance], list[dict[str, Any]]]:
    world = simulation.world()
    cluster = cluster_name(world, request)
    present = placement.container_instances(world, cluster)
    by_name = {last(i.arn): i for i in present}
    names = [last(n) for n in several(request, "containerInstances", "Container instances", 100)]
    failures = [
        missing(world.arn("ecs", f"container-instance/{cluster}/{n}"))
        for n in names
        if n not in by_name
    ]
    return [by_name[n] for n in names if n in by_name], failures


def describe_container_instances(simulation: Simulation, request: Structure) -> Answer:
    chosen, failures = _instances(simulation, request)
    described = [answers.container_instance(simulation, i) for i in chosen]
    return {"containerInstances": described, "failures": failures}


def update_container_instances_state(simulation: Simulation, request: Structure) -> Answer:
    chosen, failures = _instances(simulation, request)
    for instance in chosen:
        simulation.engine.drain_instance(instance.id, request["status"] == "DRAINING")
    described = [answers.container_instance(simulation, i) for i in chosen]
    return {"containerInstances": described, "failures": failures}


ANSWERS = {
    "DescribeContainerInstances": describe_container_instances,
    "UpdateContainerInstancesState": update_container_instances_state,
}
