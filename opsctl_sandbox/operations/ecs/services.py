"""ECS services, answered from the simulation; their deployments are in `ecs_deployments`."""

from dataclasses import replace
from typing import Any

from opsctl_sandbox.cluster.values import LoadBalancer, Service, ServiceSpec
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.ministack import load_balancers
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import (
    cluster_name,
    find_definition,
    invalid,
    last,
    missing,
    several,
)
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def find_service(world: World, asked: Structure, *, active: bool = True) -> Service:
    key = (cluster_name(world, asked), last(asked["service"]))
    found = world.services.get(key)
    if found is None:
        raise Refused("ServiceNotFoundException", "Service not found.")
    if active and found.status != "ACTIVE":
        raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
    return found


def _balancers(world: World, asked: Structure, definition: str) -> tuple[LoadBalancer, ...]:
    """Checked as ECS checks them: the target group, the container and its port must exist."""
    found: list[LoadBalancer] = []
    for one in asked.get("loadBalancers") or ():
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
        found.append(balancer)
    return tuple(found)


def _spread(asked: Structure) -> tuple[str, ...]:
    strategy = asked.get("placementStrategy") or ()
    return tuple(s["field"] for s in strategy if s.get("type") == "spread" and s.get("field"))


def _configured(spec: ServiceSpec, asked: Structure) -> ServiceSpec:
    """The specification with what the request's deployment configuration says."""
    wanted = asked.get("deploymentConfiguration") or {}
    breaker = wanted.get("deploymentCircuitBreaker") or {}
    spec = replace(
        spec,
        minimum_percent=int(wanted.get("minimumHealthyPercent", spec.minimum_percent)),
        maximum_percent=int(wanted.get("maximumPercent", spec.maximum_percent)),
        breaker=bool(breaker.get("enable", spec.breaker)),
        rollback=bool(breaker.get("rollback", spec.rollback)),
        grace=float(asked.get("healthCheckGracePeriodSeconds", spec.grace)),
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


def create_service(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    name = asked["serviceName"]
    there = world.services.get((cluster, name))
    if there and there.status != "INACTIVE":
        raise Refused("InvalidParameterException", "Creation of service was not idempotent.")
    definition = find_definition(world, asked["taskDefinition"])
    spec = ServiceSpec(
        name=name,
        cluster=cluster,
        task_definition=definition,
        desired=int(asked.get("desiredCount", 1)),
        load_balancers=_balancers(world, asked, definition),
        spread=_spread(asked),
        document=dict(asked),
    )
    created = simulation.engine.create_service(_configured(spec, asked))
    return {"service": answers.service(simulation, created)}


def update_service(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    found = find_service(world, asked)
    spec = found.spec
    if asked.get("taskDefinition"):
        spec = replace(spec, task_definition=find_definition(world, asked["taskDefinition"]))
    if asked.get("desiredCount") is not None:
        spec = replace(spec, desired=int(asked["desiredCount"]))
    if asked.get("loadBalancers") is not None:
        spec = replace(spec, load_balancers=_balancers(world, asked, spec.task_definition))
    if asked.get("placementStrategy") is not None:
        spec = replace(spec, spread=_spread(asked))
    given = {k: v for k, v in asked.items() if k not in ("service", "forceNewDeployment")}
    spec = replace(_configured(spec, asked), document={**spec.document, **given})
    force = bool(asked.get("forceNewDeployment"))
    return {
        "service": answers.service(simulation, simulation.engine.update_service(spec, force=force))
    }


def delete_service(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    found = find_service(world, asked)
    if found.spec.desired and not asked.get("force"):
        raise Refused(
            "InvalidParameterException",
            "The service cannot be stopped while it is scaled above 0.",
        )
    simulation.engine.delete_service(found.spec.cluster, found.spec.name)
    return {"service": answers.service(simulation, found)}


def describe_services(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    names = [last(n) for n in several(asked, "services", "Services", 10)]
    found = [world.services.get((cluster, n)) for n in names]
    described = [answers.service(simulation, s) for s in found if s]
    if "TAGS" not in (asked.get("include") or ()):
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
