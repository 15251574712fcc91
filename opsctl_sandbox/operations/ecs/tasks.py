"""ECS clusters, task definitions, tasks and container instances, answered from the simulation.

What is listed is in `ecs_lists`, services are in `ecs_services`.
"""

from typing import Any

from opsctl_sandbox.cluster import placement
from opsctl_sandbox.cluster.values import Instance, Task
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import (
    cluster_name,
    find_definition,
    invalid,
    last,
    missing,
    number,
    several,
)
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def create_cluster(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    name = asked.get("clusterName") or "default"
    world.clusters[name] = {**world.clusters.get(name, {}), **asked, "status": "ACTIVE"}
    return {"cluster": answers.cluster(simulation, name)}


def describe_clusters(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    names = [last(c) for c in asked.get("clusters") or ["default"]]
    include = asked.get("include") or ()
    found = [answers.cluster(simulation, n) for n in names if n in world.clusters]
    for cluster in found:
        for member in ("tags", "settings", "statistics"):
            if member.upper() not in include:
                cluster[member] = []
    return {
        "clusters": found,
        "failures": [
            missing(answers.cluster_arn(world, n)) for n in names if n not in world.clusters
        ],
    }


def delete_cluster(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, asked)
    if any(s.spec.cluster == name and s.status != "INACTIVE" for s in world.services.values()):
        raise Refused(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        )
    if placement.container_instances(world, name):
        raise Refused(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    answer = answers.cluster(simulation, name) | {"status": "INACTIVE"}
    del world.clusters[name]
    return {"cluster": answer}


def register_task_definition(simulation: Simulation, asked: Structure) -> Answer:
    if not asked.get("containerDefinitions"):
        raise Refused("ClientException", "Container list cannot be empty.")
    simulation.world()
    document = {**asked, "registeredAt": simulation.wall(simulation.now())}
    definition = simulation.engine.register(document)
    answer = answers.task_definition(simulation, definition.arn)
    return {"taskDefinition": answer, "tags": asked.get("tags", [])}


def describe_task_definition(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    arn = find_definition(world, asked["taskDefinition"])
    answer = {"taskDefinition": answers.task_definition(simulation, arn)}
    if "TAGS" in (asked.get("include") or ()):
        answer["tags"] = world.definitions[arn].document.get("tags", [])
    return answer


def deregister_task_definition(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    if ":" not in last(asked["taskDefinition"]):
        raise invalid("The task definition must have a revision.")
    arn = find_definition(world, asked["taskDefinition"])
    world.inactive.add(arn)
    return {"taskDefinition": answers.task_definition(simulation, arn)}


def find_task(world: World, cluster: str, name: str) -> Task | None:
    wanted = last(name)
    return next((t for t in world.tasks.values() if t.id == wanted and t.cluster == cluster), None)


def describe_tasks(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    names = several(asked, "tasks", "Tasks", 100)
    found = [(name, find_task(world, cluster, name)) for name in names]
    return {
        "tasks": [answers.task(simulation, t) for _, t in found if t],
        "failures": [
            missing(world.arn("ecs", f"task/{cluster}/{last(name)}")) for name, t in found if not t
        ],
    }


def stop_task(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    task = find_task(world, cluster_name(world, asked), asked["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    simulation.engine.stop_task(task.arn, asked.get("reason", ""))
    return {"task": answers.task(simulation, task)}


def execute_command(simulation: Simulation, asked: Structure) -> Answer:
    """The sandbox has no session with a container; ECS says the same of an agent that is off."""
    world = simulation.world()
    if find_task(world, cluster_name(world, asked), asked["task"]) is None:
        raise invalid("The referenced task was not found.")
    raise invalid(
        "The execute command failed because execute command was not enabled when the task was run "
        "or the execute command agent isn't running. Wait and try again or run a new task with "
        "execute command enabled and try again."
    )


def run_task(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    arn = find_definition(world, asked["taskDefinition"])
    begun: list[Answer] = []
    failures: list[Answer] = []
    for _ in range(number(asked, "count", 1, 1, 10)):
        task = simulation.engine.run_task(
            cluster,
            arn,
            overrides=asked.get("overrides", {}),
            started_by=asked.get("startedBy", ""),
        )
        if isinstance(task, str):
            failures.append({"arn": answers.cluster_arn(world, cluster), "reason": task})
        else:
            begun.append(answers.task(simulation, task))
    return {"tasks": begun, "failures": failures}


def _instances(
    simulation: Simulation, asked: Structure
) -> tuple[list[Instance], list[dict[str, Any]]]:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    present = placement.container_instances(world, cluster)
    by_name = {last(i.arn): i for i in present}
    names = [last(n) for n in several(asked, "containerInstances", "Container instances", 100)]
    failures = [
        missing(world.arn("ecs", f"container-instance/{cluster}/{n}"))
        for n in names
        if n not in by_name
    ]
    return [by_name[n] for n in names if n in by_name], failures


def describe_container_instances(simulation: Simulation, asked: Structure) -> Answer:
    found, failures = _instances(simulation, asked)
    described = [answers.container_instance(simulation, i) for i in found]
    return {"containerInstances": described, "failures": failures}


def update_container_instances_state(simulation: Simulation, asked: Structure) -> Answer:
    found, failures = _instances(simulation, asked)
    for instance in found:
        simulation.engine.drain_instance(instance.id, asked["status"] == "DRAINING")
    described = [answers.container_instance(simulation, i) for i in found]
    return {"containerInstances": described, "failures": failures}


ANSWERS = {
    "CreateCluster": create_cluster,
    "DescribeClusters": describe_clusters,
    "DeleteCluster": delete_cluster,
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "DeregisterTaskDefinition": deregister_task_definition,
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "RunTask": run_task,
    "ExecuteCommand": execute_command,
    "DescribeContainerInstances": describe_container_instances,
    "UpdateContainerInstancesState": update_container_instances_state,
}
