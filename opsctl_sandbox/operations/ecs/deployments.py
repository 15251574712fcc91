"""ECS service deployments and revisions, answered from the simulation."""

import base64
import hashlib
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
    # On AWS, too, it ends with 21 characters that do not contain the deployment's id:
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    digest = hashlib.sha256(value.id.encode()).digest()
    return f"{arn}/{base64.urlsafe_b64encode(digest).decode()[:21]}"


def _revision_arn(service: Service, revision: str) -> str:
    arn = service.arn.replace(":service/", ":service-revision/")
    return f"{arn}/{revision.removeprefix('ecs-svc/')}"


def _own(service: Service) -> list[Deployment]:
    """Return the service deployments, newest first. A rollback belongs to the one that failed."""
    return [one for one in service.history if not one.only_rolls_back]


def _summary(world: World, service: Service, revision: str) -> Answer:
    of_revision = [one for one in service.history if one.revision == revision]
    mine = [t for one in of_revision for t in deployments.of(world, service, one)]
    wanted = service.spec.desired if service.primary.revision == revision else 0
    return {
        "arn": _revision_arn(service, revision),
        "requestedTaskCount": wanted,
        "runningTaskCount": sum(t.status in ("RUNNING", "DEACTIVATING") for t in mine),
        "pendingTaskCount": sum(t.status in ("PENDING", "ACTIVATING") for t in mine),
    }


def _service_deployment(simulation: Simulation, service: Service, value: Deployment) -> Answer:
    world = simulation.world()
    answer: Answer = {
        "serviceDeploymentArn": _deployment_arn(service, value),
        "serviceArn": service.arn,
        "clusterArn": answers.cluster_arn(world, service.spec.cluster),
        "createdAt": simulation.wall(value.created),
        "startedAt": simulation.wall(value.created),
        "updatedAt": simulation.wall(value.updated),
        "status": value.verdict,
        "sourceServiceRevisions": [_summary(world, service, one) for one in value.sources],
        "targetServiceRevision": _summary(world, service, value.revision),
        "deploymentConfiguration": answers.deployment_configuration(service),
        "deploymentCircuitBreaker": _breaker(service, value),
        "alarms": _alarms(service, value),
    }
    if value.verdict_reason:
        answer["statusReason"] = value.verdict_reason
    if value.back_since is not None:
        answer["rollback"] = {
            "reason": value.rollout_reason,
            "startedAt": simulation.wall(value.back_since),
            "serviceRevisionArn": _revision_arn(service, value.back_to),
        }
    if value.finished is not None and value.verdict not in deployments.GOING_ON:
        answer["finishedAt"] = simulation.wall(value.finished)
        if value.verdict == "STOPPED":
            answer["stoppedAt"] = answer["finishedAt"]
    return answer


def _breaker(service: Service, value: Deployment) -> Answer:
    limit = deployments.threshold(service.spec)
    tripped = value.rollout == "FAILED" and value.rollout_reason.startswith(deployments.BREAKER)
    return {
        "status": _watch(service.spec.breaker, tripped, value),
        "failureCount": value.consecutive_failures,
        "threshold": limit,
    }


def _alarms(service: Service, value: Deployment) -> Answer:
    status = _watch(bool(service.spec.alarms), bool(value.triggered), value)
    names = {"alarmNames": list(service.spec.alarms), "triggeredAlarmNames": list(value.triggered)}
    return {"status": status, **names}


def _watch(enabled: bool, triggered: bool, value: Deployment) -> str:
    if not enabled:
        return "DISABLED"
    if triggered:
        return "TRIGGERED"
    return "MONITORING" if value.verdict == "IN_PROGRESS" else "MONITORING_COMPLETE"


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
    all_of_it = [_service_deployment(simulation, service, d) for d in _own(service)]
    brief = [
        {k: v for k, v in d.items() if k in _BRIEF}
        | {"targetServiceRevisionArn": d["targetServiceRevision"]["arn"]}
        for d in all_of_it
        if not statuses or d["status"] in statuses
    ]
    return page(brief, request, "serviceDeployments", size=20)


def _known(world: World) -> dict[str, tuple[Service, Deployment]]:
    return {_deployment_arn(s, d): (s, d) for s in world.services.values() for d in _own(s)}


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
    if value.verdict not in deployments.GOING_ON:
        raise Refused("ConflictException", "The service deployment is not in progress.")
    if value.verdict != "IN_PROGRESS":
        return {"serviceDeploymentArn": arn}
    simulation.engine.stop_deployment(service.spec.cluster, service.spec.name)
    return {"serviceDeploymentArn": arn}


def describe_service_revisions(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    known = {_revision_arn(s, d.revision): (s, d) for s in world.services.values() for d in _own(s)}
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
