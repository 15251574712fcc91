"""ECS clusters, task definitions, tasks and container instances, answered from the simulation."""

from typing import Any

from opsctl.sandbox.calls import Refused, Structure
from opsctl.sandbox.cluster import placement
from opsctl.sandbox.cluster.values import Instance, Task
from opsctl.sandbox.cluster.world import World
from opsctl.sandbox.operations import ecs_answers as answers
from opsctl.sandbox.operations.simulation import Simulation

Answer = dict[str, Any]


def missing(arn: str) -> Answer:
    return {"arn": arn, "reason": "MISSING"}


def last(identifier: str) -> str:
    """The name at the end of an ARN, or the name itself."""
    return identifier.rsplit("/", 1)[-1]


def cluster_name(world: World, asked: Structure) -> str:
    """The cluster the call names. Raises as ECS does when there is none."""
    name = last(asked.get("cluster") or "default")
    if name not in world.clusters:
        raise Refused("ClusterNotFoundException", "Cluster not found.")
    return name


def find_definition(world: World, name: str) -> str:
    """The ARN behind an ARN, a `family:revision` or a family (its latest active revision)."""
    if name in world.definitions:
        return name
    named = last(name)
    found = [
        d.arn
        for d in world.definitions.values()
        if f"{d.family}:{d.revision}" == named
        or (d.family == named and d.arn not in world.inactive)
    ]
    if not found:
        raise Refused("ClientException", "Unable to describe task definition.")
    return found[-1]


def page(items: list[str], asked: Structure, member: str) -> Answer:
    """One page of names; the token is the position to go on from."""
    start = int(asked.get("nextToken") or 0)
    size = int(asked.get("maxResults") or 100)
    answer: Answer = {member: items[start : start + size]}
    return answer | ({"nextToken": str(start + size)} if start + size < len(items) else {})


def create_cluster(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    name = asked.get("clusterName") or "default"
    world.clusters[name] = {**world.clusters.get(name, {}), **asked, "status": "ACTIVE"}
    return {"cluster": answers.cluster(simulation, name)}


def describe_clusters(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    names = [last(c) for c in asked.get("clusters") or ["default"]]
    return {
        "clusters": [answers.cluster(simulation, n) for n in names if n in world.clusters],
        "failures": [
            missing(answers.cluster_arn(world, n)) for n in names if n not in world.clusters
        ],
    }


def list_clusters(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    return page([answers.cluster_arn(world, n) for n in world.clusters], asked, "clusterArns")


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
    tags = world.definitions[arn].document.get("tags", [])
    return {"taskDefinition": answers.task_definition(simulation, arn), "tags": tags}


def deregister_task_definition(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    arn = find_definition(world, asked["taskDefinition"])
    world.inactive.add(arn)
    return {"taskDefinition": answers.task_definition(simulation, arn)}


def list_task_definitions(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    wanted = asked.get("status", "ACTIVE")
    family = asked.get("familyPrefix")
    found = [
        d.arn
        for d in world.definitions.values()
        if (d.arn in world.inactive) == (wanted == "INACTIVE") and family in (None, d.family)
    ]
    return page(found[::-1] if asked.get("sort") == "DESC" else found, asked, "taskDefinitionArns")


def list_tasks(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, asked)
    wanted = asked.get("desiredStatus", "RUNNING")
    service, family = asked.get("serviceName"), asked.get("family")
    started_by = asked.get("startedBy")
    instance = asked.get("containerInstance")
    found = [
        t.arn
        for t in world.tasks.values()
        if t.cluster == name
        and t.desired == wanted
        and (not service or t.service == last(service))
        and (not family or t.definition.family == family)
        and (not started_by or t.started_by == started_by)
        and (not instance or last(instance) in _instance_names(world, t))
    ]
    return page(found, asked, "taskArns")


def _instance_names(world: World, task: Task) -> tuple[str, ...]:
    instance = world.instances.get(task.instance)
    return (instance.id, last(instance.arn)) if instance else ()


def find_task(world: World, cluster: str, name: str) -> Task | None:
    wanted = last(name)
    return next((t for t in world.tasks.values() if t.id == wanted and t.cluster == cluster), None)


def describe_tasks(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    found = [(name, find_task(world, cluster, name)) for name in asked["tasks"]]
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
        raise Refused("InvalidParameterException", "The referenced task was not found.")
    simulation.engine.stop_task(task.arn, asked.get("reason", ""))
    return {"task": answers.task(simulation, task)}


def run_task(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    arn = find_definition(world, asked["taskDefinition"])
    begun: list[Answer] = []
    failures: list[Answer] = []
    for _ in range(asked.get("count", 1)):
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


def list_container_instances(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    wanted = asked.get("status")
    found = [
        i.arn
        for i in placement.container_instances(world, cluster_name(world, asked))
        if wanted is None or i.draining == (wanted == "DRAINING")
    ]
    return page(found, asked, "containerInstanceArns")


def _instances(
    simulation: Simulation, asked: Structure
) -> tuple[list[Instance], list[dict[str, Any]]]:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    present = placement.container_instances(world, cluster)
    by_name = {last(i.arn): i for i in present}
    names = [last(n) for n in asked["containerInstances"]]
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
    "ListClusters": list_clusters,
    "DeleteCluster": delete_cluster,
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "DeregisterTaskDefinition": deregister_task_definition,
    "ListTaskDefinitions": list_task_definitions,
    "ListTasks": list_tasks,
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "RunTask": run_task,
    "ListContainerInstances": list_container_instances,
    "DescribeContainerInstances": describe_container_instances,
    "UpdateContainerInstancesState": update_container_instances_state,
}
