"""ECS's lists: names in pages, filtered as the API filters them."""

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


def list_clusters(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    return page([answers.cluster_arn(world, n) for n in world.clusters], request, "clusterArns")


def list_services(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, request)
    launch = one_of(request, "launchType", _LAUNCH_TYPES)
    one_of(request, "schedulingStrategy", ("REPLICA", "DAEMON"))
    replicas = request.get("schedulingStrategy") in (None, "REPLICA")
    arns = [
        s.arn
        for s in world.services.values()
        if s.spec.cluster == cluster
        and s.status == "ACTIVE"
        and replicas
        and launch in ("", _launch_type(s))
    ]
    return page(arns, request, "serviceArns", size=10)


def _launch_type(service: Service) -> str:
    """Return the launch type; `none` for a service with capacity providers."""
    document = service.spec.document
    return "none" if document.get("capacityProviderStrategy") else document.get("launchType", "EC2")


def list_families(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    status = one_of(request, "status", ("ACTIVE", "INACTIVE", "ALL"), "ACTIVE")
    prefix = str(request.get("familyPrefix") or "")
    active = {d.family for d in world.definitions.values() if d.arn not in world.inactive}
    known = {d.family for d in world.definitions.values()}
    chosen = {"ACTIVE": active, "INACTIVE": known - active, "ALL": known}[status]
    names = sorted(one for one in chosen if one.startswith(prefix))
    return page(names, request, "families")


def list_task_definitions(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    status = one_of(request, "status", ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"), "ACTIVE")
    family = request.get("familyPrefix")
    definitions = [
        d
        for d in world.definitions.values()
        if ("INACTIVE" if d.arn in world.inactive else "ACTIVE") == status
        and family in (None, d.family)
    ]
    definitions.sort(key=lambda d: (d.family, d.revision))
    if one_of(request, "sort", ("ASC", "DESC")) == "DESC":
        definitions.reverse()
    return page([d.arn for d in definitions], request, "taskDefinitionArns")


def list_tasks(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, request)
    desired = one_of(request, "desiredStatus", ("RUNNING", "PENDING", "STOPPED"), "RUNNING")
    launch = one_of(request, "launchType", _LAUNCH_TYPES)
    service = last(request.get("serviceName") or "")
    if service and (name, service) not in world.services:
        raise Refused("ServiceNotFoundException", "Service not found.")
    if request.get("startedBy") and (service or request.get("family")):
        raise invalid("startedBy must be the only filter.")
    arns = [
        t.arn
        for t in world.tasks.values()
        if t.cluster == name
        and t.desired == desired
        and launch in ("", "EC2")
        # No task is ever desired to be PENDING, although the filter exists.
        and _chosen(world, t, request, service)
    ]
    return page(arns, request, "taskArns")


def _chosen(world: World, task: Task, request: Structure, service: str) -> bool:
    family, started_by = request.get("family"), request.get("startedBy")
    instance = request.get("containerInstance")
    return (
        (not service or task.service == service)
        and (not family or task.definition.family == family)
        and (not started_by or task.started_by == started_by)
        and (not instance or last(instance) in _instance_names(world, task))
    )


def _instance_names(world: World, task: Task) -> tuple[str, ...]:
    instance = world.instances.get(task.instance)
    return (instance.id, last(instance.arn)) if instance else ()


def list_container_instances(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    states = ("ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED")
    status = one_of(request, "status", states)
    if request.get("filter"):
        raise invalid("The sandbox does not evaluate filter expressions.")
    arns = [
        i.arn
        for i in placement.container_instances(world, cluster_name(world, request))
        if status in ("", "DRAINING" if i.draining else "ACTIVE")
    ]
    return page(arns, request, "containerInstanceArns")


ANSWERS = {
    "ListClusters": list_clusters,
    "ListServices": list_services,
    "ListTaskDefinitions": list_task_definitions,
    "ListTaskDefinitionFamilies": list_families,
    "ListTasks": list_tasks,
    "ListContainerInstances": list_container_instances,
}
