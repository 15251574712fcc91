"""What ECS lists: names in pages, filtered as the API filters them."""

from typing import Any

from opsctl_sandbox.cluster import placement
from opsctl_sandbox.cluster.values import Service, Task
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import cluster_name, invalid, last, one_of, page
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]
_LAUNCH_TYPES = ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")


def list_clusters(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    return page([answers.cluster_arn(world, n) for n in world.clusters], asked, "clusterArns")


def list_services(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    launch = one_of(asked, "launchType", _LAUNCH_TYPES)
    one_of(asked, "schedulingStrategy", ("REPLICA", "DAEMON"))
    replicas = asked.get("schedulingStrategy") in (None, "REPLICA")
    found = [
        s.arn
        for s in world.services.values()
        if s.spec.cluster == cluster
        and s.status == "ACTIVE"
        and replicas
        and launch in ("", _launch_type(s))
    ]
    return page(found, asked, "serviceArns", size=10)


def _launch_type(service: Service) -> str:
    """None of its own for a service of capacity providers."""
    document = service.spec.document
    return "none" if document.get("capacityProviderStrategy") else document.get("launchType", "EC2")


def list_task_definitions(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    wanted = one_of(asked, "status", ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"), "ACTIVE")
    family = asked.get("familyPrefix")
    found = [
        d
        for d in world.definitions.values()
        if ("INACTIVE" if d.arn in world.inactive else "ACTIVE") == wanted
        and family in (None, d.family)
    ]
    found.sort(key=lambda d: (d.family, d.revision))
    if one_of(asked, "sort", ("ASC", "DESC")) == "DESC":
        found.reverse()
    return page([d.arn for d in found], asked, "taskDefinitionArns")


def list_tasks(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, asked)
    wanted = one_of(asked, "desiredStatus", ("RUNNING", "PENDING", "STOPPED"), "RUNNING")
    launch = one_of(asked, "launchType", _LAUNCH_TYPES)
    service = last(asked.get("serviceName") or "")
    if service and (name, service) not in world.services:
        raise Refused("ServiceNotFoundException", "Service not found.")
    if asked.get("startedBy") and (service or asked.get("family")):
        raise invalid("startedBy must be the only filter.")
    found = [
        t.arn
        for t in world.tasks.values()
        if t.cluster == name
        and t.desired == wanted
        and launch in ("", "EC2")
        # Nothing is ever desired to be PENDING; the filter exists all the same.
        and _chosen(world, t, asked, service)
    ]
    return page(found, asked, "taskArns")


def _chosen(world: World, task: Task, asked: Structure, service: str) -> bool:
    family, started_by = asked.get("family"), asked.get("startedBy")
    instance = asked.get("containerInstance")
    return (
        (not service or task.service == service)
        and (not family or task.definition.family == family)
        and (not started_by or task.started_by == started_by)
        and (not instance or last(instance) in _instance_names(world, task))
    )


def _instance_names(world: World, task: Task) -> tuple[str, ...]:
    instance = world.instances.get(task.instance)
    return (instance.id, last(instance.arn)) if instance else ()


def list_container_instances(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    states = ("ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED")
    wanted = one_of(asked, "status", states)
    if asked.get("filter"):
        raise invalid("The sandbox does not evaluate filter expressions.")
    found = [
        i.arn
        for i in placement.container_instances(world, cluster_name(world, asked))
        if wanted in ("", "DRAINING" if i.draining else "ACTIVE")
    ]
    return page(found, asked, "containerInstanceArns")


ANSWERS = {
    "ListClusters": list_clusters,
    "ListServices": list_services,
    "ListTaskDefinitions": list_task_definitions,
    "ListTasks": list_tasks,
    "ListContainerInstances": list_container_instances,
}
