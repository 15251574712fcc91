"""ECS services and their deployments, answered from the simulation."""

from dataclasses import replace
from typing import Any

from opsctl.sandbox.calls import Refused, Structure
from opsctl.sandbox.cluster import deployments
from opsctl.sandbox.cluster.values import Deployment, LoadBalancer, Service, ServiceSpec
from opsctl.sandbox.cluster.world import World
from opsctl.sandbox.operations import ecs_answers as answers
from opsctl.sandbox.operations import neighbours
from opsctl.sandbox.operations.ecs import cluster_name, find_definition, last, missing, page
from opsctl.sandbox.operations.simulation import Simulation

Answer = dict[str, Any]


def _find(world: World, asked: Structure, *, active: bool = True) -> Service:
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
            balancer = neighbours.load_balancer(one)
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
    return replace(
        spec,
        minimum_percent=int(wanted.get("minimumHealthyPercent", spec.minimum_percent)),
        maximum_percent=int(wanted.get("maximumPercent", spec.maximum_percent)),
        breaker=bool(breaker.get("enable", spec.breaker)),
        rollback=bool(breaker.get("rollback", spec.rollback)),
        grace=float(asked.get("healthCheckGracePeriodSeconds", spec.grace)),
    )


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
    found = _find(world, asked)
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
    found = _find(world, asked)
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
    names = [last(n) for n in asked["services"]]
    found = [world.services.get((cluster, n)) for n in names]
    return {
        "services": [answers.service(simulation, s) for s in found if s],
        "failures": [
            missing(world.arn("ecs", f"service/{cluster}/{n}"))
            for n in names
            if (cluster, n) not in world.services
        ],
    }


def list_services(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    found = [
        s.arn for s in world.services.values() if s.spec.cluster == cluster and s.status == "ACTIVE"
    ]
    return page(found, asked, "serviceArns")


def _deployment_arn(found: Service, value: Deployment) -> str:
    arn = found.arn.replace(":service/", ":service-deployment/")
    return f"{arn}/{value.id.removeprefix('ecs-svc/')}"


def _status(found: Service, value: Deployment) -> str:
    if value.rollout == "COMPLETED":
        return "SUCCESSFUL"
    if value.rollout == "FAILED":
        primary = found.primary
        if not primary.rolls_back:
            return "ROLLBACK_SUCCESSFUL" if primary.rollout == "COMPLETED" else "STOPPED"
        return "ROLLBACK_IN_PROGRESS"
    return "IN_PROGRESS" if value.status == "PRIMARY" else "STOPPED"


def _service_deployment(simulation: Simulation, found: Service, value: Deployment) -> Answer:
    world = simulation.world()
    mine = deployments.of(world, found, value)
    arn = found.arn.replace(":service/", ":service-revision/")
    revision = {
        "arn": f"{arn}/{value.id.removeprefix('ecs-svc/')}",
        "requestedTaskCount": value.desired,
        "runningTaskCount": sum(t.status == "RUNNING" for t in mine),
        "pendingTaskCount": sum(t.status in ("PENDING", "ACTIVATING") for t in mine),
    }
    failed = value.rollout == "FAILED"
    answer: Answer = {
        "serviceDeploymentArn": _deployment_arn(found, value),
        "serviceArn": found.arn,
        "clusterArn": answers.cluster_arn(world, found.spec.cluster),
        "createdAt": simulation.wall(value.created),
        "startedAt": simulation.wall(value.created),
        "updatedAt": simulation.wall(value.updated),
        "status": _status(found, value),
        "targetServiceRevision": revision,
        "deploymentConfiguration": answers.service(simulation, found)["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": "TRIGGERED" if failed else "MONITORING" if found.spec.breaker else "DISABLED",
            "failureCount": value.consecutive_failures,
            "threshold": deployments.threshold(found.spec.desired),
        },
    }
    if value.rollout_reason:
        answer["statusReason"] = value.rollout_reason
    if value.finished is not None:
        answer["finishedAt"] = simulation.wall(value.finished)
    return answer


_BRIEF = (
    "serviceDeploymentArn",
    "serviceArn",
    "clusterArn",
    "createdAt",
    "startedAt",
    "finishedAt",
    "status",
    "statusReason",
)


def list_service_deployments(simulation: Simulation, asked: Structure) -> Answer:
    found = _find(simulation.world(), asked, active=False)
    wanted = asked.get("status")
    all_of_it = [_service_deployment(simulation, found, d) for d in found.history]
    brief = [
        {k: v for k, v in d.items() if k in _BRIEF}
        | {"targetServiceRevisionArn": d["targetServiceRevision"]["arn"]}
        for d in all_of_it
        if not wanted or d["status"] in wanted
    ]
    return {"serviceDeployments": brief}


def describe_service_deployments(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    known = {_deployment_arn(s, d): (s, d) for s in world.services.values() for d in s.history}
    arns = asked["serviceDeploymentArns"]
    return {
        "serviceDeployments": [
            _service_deployment(simulation, *known[a]) for a in arns if a in known
        ],
        "failures": [missing(a) for a in arns if a not in known],
    }


ANSWERS = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DeleteService": delete_service,
    "DescribeServices": describe_services,
    "ListServices": list_services,
    "ListServiceDeployments": list_service_deployments,
    "DescribeServiceDeployments": describe_service_deployments,
}
