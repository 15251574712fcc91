"""ECS services, answered from the simulation; their deployments are in `deployments`."""

from dataclasses import replace
from typing import Any

from opsctl_sandbox.cluster.values import LoadBalancer, Service, ServiceSpec
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.ministack import load_balancers
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import (
    active_definition,
    cluster_name,
    invalid,
    is_name,
    last,
    missing,
    several,
)
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def find_service(world: World, request: Structure, *, active: bool = True) -> Service:
    key = (cluster_name(world, request), last(request["service"]))
    service = world.services.get(key)
    if service is None:
        raise Refused("ServiceNotFoundException", "Service not found.")
    if active and service.status != "ACTIVE":
        raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
    return service


def _balancers(world: World, request: Structure, definition: str) -> tuple[LoadBalancer, ...]:
    """Return the load balancers. As in ECS, target group, container and port must exist."""
    balancers: list[LoadBalancer] = []
    for one in request.get("loadBalancers") or ():
        try:
            balancer = load_balancers.load_balancer(one)
        except KeyError as error:
            raise Refused(
                "InvalidParameterException",
                f"The target group {error.args[0]} does not have an associated load balancer.",
            ) from error
        mapped = [(p.container, p.container_port) for p in world.definitions[definition].ports]
        if (balancer.container, balancer.container_port) not in mapped:
            raise Refused(
                "InvalidParameterException",
                f"The container {balancer.container} did not have a container port "
                f"{balancer.container_port} defined.",
            )
        balancers.append(balancer)
    return tuple(balancers)


def _spread(request: Structure) -> tuple[str, ...]:
    strategy = request.get("placementStrategy") or ()
    return tuple(s["field"] for s in strategy if s.get("type") == "spread" and s.get("field"))


def _configured(spec: ServiceSpec, request: Structure) -> ServiceSpec:
    """Return the specification with the request's deployment configuration."""
    configuration = request.get("deploymentConfiguration") or {}
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    spec = replace(
        spec,
        minimum_percent=int(configuration.get("minimumHealthyPercent", spec.minimum_percent)),
        maximum_percent=int(configuration.get("maximumPercent", spec.maximum_percent)),
        breaker=bool(breaker.get("enable", spec.breaker)),
        rollback=bool(breaker.get("rollback", spec.rollback)),
        threshold=_threshold(breaker.get("thresholdConfiguration"), spec.threshold),
        reset_on_healthy=bool(breaker.get("resetOnHealthyTask", spec.reset_on_healthy)),
        **_alarms(configuration.get("alarms")),
        grace=float(request.get("healthCheckGracePeriodSeconds", spec.grace)),
    )
    if spec.desired < 0:
        raise invalid("desiredCount cannot be negative.")
    if not 0 <= spec.minimum_percent <= spec.maximum_percent or spec.maximum_percent < 1:
        raise invalid(
            "maximumPercent must be at least minimumHealthyPercent, which cannot be negative."
        )
    if spec.minimum_percent == spec.maximum_percent == 100:
        raise invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block "
            "deployments."
        )
    return spec


def _threshold(configuration: Structure | None, default: tuple[str, int]) -> tuple[str, int]:
    if configuration is None:
        return default
    return str(configuration.get("type", "BOUNDED_PERCENT")), int(configuration.get("value", 50))


def _alarms(alarms: Structure | None) -> Answer:
    if alarms is None:
        return {}
    names = tuple(alarms.get("alarmNames") or ()) if alarms.get("enable") else ()
    return {"alarms": names, "alarm_rollback": bool(alarms.get("rollback"))}


def create_service(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, request)
    name = request["serviceName"]
    if not is_name(name):
        raise invalid(
            "Service names can contain up to 255 letters (uppercase and lowercase), numbers, "
            "underscores, and hyphens."
        )
    there = world.services.get((cluster, name))
    if there and there.status != "INACTIVE":
        raise Refused("InvalidParameterException", "Creation of service was not idempotent.")
    if not request.get("taskDefinition"):
        raise invalid("TaskDefinition can not be blank.")
    definition = active_definition(world, request["taskDefinition"])
    spec = ServiceSpec(
        name=name,
        cluster=cluster,
        task_definition=definition,
        desired=int(request.get("desiredCount", 1)),
        load_balancers=_balancers(world, request, definition),
        spread=_spread(request),
        document=dict(request),
    )
    created = simulation.engine.create_service(_configured(spec, request))
    return {"service": answers.service(simulation, created)}


def update_service(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    service = find_service(world, request)
    spec = service.spec
    if request.get("taskDefinition"):
        spec = replace(spec, task_definition=active_definition(world, request["taskDefinition"]))
    if request.get("desiredCount") is not None:
        spec = replace(spec, desired=int(request["desiredCount"]))
    if request.get("loadBalancers") is not None:
        spec = replace(spec, load_balancers=_balancers(world, request, spec.task_definition))
    if request.get("placementStrategy") is not None:
        spec = replace(spec, spread=_spread(request))
    changed = {k: v for k, v in request.items() if k not in ("service", "forceNewDeployment")}
    force = bool(request.get("forceNewDeployment"))
    wanted, has = request.get("capacityProviderStrategy"), spec.document
    if wanted is not None and wanted != has.get("capacityProviderStrategy", []) and not force:
        raise invalid(
            "When switching from launch type to capacity provider strategy on an existing "
            "service, or making a change to a capacity provider strategy on a service that is "
            "already using one, you must force a new deployment."
        )
    document = {**spec.document, **changed}
    if wanted == []:  # back to the launch type
        del document["capacityProviderStrategy"]
        document.setdefault("launchType", "EC2")
    elif wanted:
        document.pop("launchType", None)
    spec = replace(_configured(spec, request), document=document)
    return {
        "service": answers.service(simulation, simulation.engine.update_service(spec, force=force))
    }


def delete_service(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    service = find_service(world, request)
    if service.spec.desired and not request.get("force"):
        raise Refused(
            "InvalidParameterException",
            "The service cannot be stopped while it is scaled above 0.",
        )
    simulation.engine.delete_service(service.spec.cluster, service.spec.name)
    return {"service": answers.service(simulation, service)}


def describe_services(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, request)
    names = [last(n) for n in several(request, "services", "Services", 10)]
    services = [world.services.get((cluster, n)) for n in names]
    described = [answers.service(simulation, s) for s in services if s]
    if "TAGS" not in (request.get("include") or ()):
        described = [{k: v for k, v in one.items() if k != "tags"} for one in described]
    return {
        "services": described,
        "failures": [
            missing(world.arn("ecs", f"service/{cluster}/{n}"))
            for n in names
            if (cluster, n) not in world.services
        ],
    }


ANSWERS = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DeleteService": delete_service,
    "DescribeServices": describe_services,
}
