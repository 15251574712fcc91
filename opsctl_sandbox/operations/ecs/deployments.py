"""ECS service deployments and revisions, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster import deployments
from opsctl_sandbox.cluster.values import Deployment, Service
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import invalid, missing, page, several
from opsctl_sandbox.operations.ecs.services import find_service
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def _deployment_arn(service: Service, value: Deployment) -> str:
    arn = service.arn.replace(":service/", ":service-deployment/")
    return f"{arn}/{value.id.removeprefix('ecs-svc/')}"


def _revision_arn(service: Service, value: Deployment) -> str:
    return _deployment_arn(service, value).replace(":service-deployment/", ":service-revision/")


def _status(service: Service, value: Deployment) -> str:
    if value.rollout == "COMPLETED":
        return "SUCCESSFUL"
    if value.rollout == "FAILED":
        primary = service.primary
        if not primary.rolls_back:
            return "ROLLBACK_SUCCESSFUL" if primary.rollout == "COMPLETED" else "STOPPED"
        return "ROLLBACK_IN_PROGRESS"
    return "IN_PROGRESS" if value.status == "PRIMARY" else "STOPPED"


def _service_deployment(simulation: Simulation, service: Service, value: Deployment) -> Answer:
    world = simulation.world()
    mine = deployments.of(world, service, value)
    revision = {
        "arn": _revision_arn(service, value),
        "requestedTaskCount": value.desired,
        "runningTaskCount": sum(t.status == "RUNNING" for t in mine),
        "pendingTaskCount": sum(t.status in ("PENDING", "ACTIVATING") for t in mine),
    }
    failed = value.rollout == "FAILED"
    answer: Answer = {
        "serviceDeploymentArn": _deployment_arn(service, value),
        "serviceArn": service.arn,
        "clusterArn": answers.cluster_arn(world, service.spec.cluster),
        "createdAt": simulation.wall(value.created),
        "startedAt": simulation.wall(value.created),
        "updatedAt": simulation.wall(value.updated),
        "status": _status(service, value),
        "targetServiceRevision": revision,
        "deploymentConfiguration": answers.service(simulation, service)["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": "TRIGGERED"
            if failed
            else "MONITORING"
            if service.spec.breaker
            else "DISABLED",
            "failureCount": value.consecutive_failures,
            "threshold": deployments.threshold(service.spec.desired),
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


def list_service_deployments(simulation: Simulation, request: Structure) -> Answer:
    service = find_service(simulation.world(), request, active=False)
    statuses = request.get("status")
    all_of_it = [_service_deployment(simulation, service, d) for d in service.history]
    brief = [
        {k: v for k, v in d.items() if k in _BRIEF}
        | {"targetServiceRevisionArn": d["targetServiceRevision"]["arn"]}
        for d in all_of_it
        if not statuses or d["status"] in statuses
    ]
    return page(brief, request, "serviceDeployments", size=20)


def _known(world: World) -> dict[str, tuple[Service, Deployment]]:
    return {_deployment_arn(s, d): (s, d) for s in world.services.values() for d in s.history}


def describe_service_deployments(simulation: Simulation, request: Structure) -> Answer:
    known = _known(simulation.world())
    arns = several(request, "serviceDeploymentArns", "Service deployments", 20)
    return {
        "serviceDeployments": [
            _service_deployment(simulation, *known[a]) for a in arns if a in known
        ],
        "failures": [missing(a) for a in arns if a not in known],
    }


def stop_service_deployment(simulation: Simulation, request: Structure) -> Answer:
    arn = request["serviceDeploymentArn"]
    entry = _known(simulation.world()).get(arn)
    if entry is None:
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    service, value = entry
    if request.get("stopType", "ROLLBACK") != "ROLLBACK":
        raise invalid("the sandbox stops a deployment only with ROLLBACK")
    if value is not service.primary or value.rollout != "IN_PROGRESS":
        raise Refused("ConflictException", "The service deployment is not in progress.")
    simulation.engine.stop_deployment(service.spec.cluster, service.spec.name)
    return {"serviceDeploymentArn": arn}


def describe_service_revisions(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    known = {_revision_arn(s, d): (s, d) for s in world.services.values() for d in s.history}
    arns = several(request, "serviceRevisionArns", "Service revisions", 20)
    return {
        "serviceRevisions": [_revision(simulation, a, *known[a]) for a in arns if a in known],
        "failures": [missing(a) for a in arns if a not in known],
    }


def _revision(simulation: Simulation, arn: str, service: Service, value: Deployment) -> Answer:
    world = simulation.world()
    described = answers.service(simulation, service)
    images = [
        {"containerName": c["name"], "image": c["image"]}
        | ({"imageDigest": value.digests[c["image"]]} if c["image"] in value.digests else {})
        for c in world.definitions[value.task_definition].containers
    ]
    kept = ("launchType", "capacityProviderStrategy", "loadBalancers", "networkConfiguration")
    return {k: described[k] for k in kept if k in described} | {
        "serviceRevisionArn": arn,
        "serviceArn": service.arn,
        "clusterArn": answers.cluster_arn(world, service.spec.cluster),
        "taskDefinition": value.task_definition,
        "containerImages": images,
        "createdAt": simulation.wall(value.created),
    }


ANSWERS = {
    "ListServiceDeployments": list_service_deployments,
    "DescribeServiceDeployments": describe_service_deployments,
    "StopServiceDeployment": stop_service_deployment,
    "DescribeServiceRevisions": describe_service_revisions,
}
