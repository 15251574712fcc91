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


def _deployment_arn(found: Service, value: Deployment) -> str:
    arn = found.arn.replace(":service/", ":service-deployment/")
    return f"{arn}/{value.id.removeprefix('ecs-svc/')}"


def _revision_arn(found: Service, value: Deployment) -> str:
    return _deployment_arn(found, value).replace(":service-deployment/", ":service-revision/")


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
    revision = {
        "arn": _revision_arn(found, value),
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
    found = find_service(simulation.world(), asked, active=False)
    wanted = asked.get("status")
    all_of_it = [_service_deployment(simulation, found, d) for d in found.history]
    brief = [
        {k: v for k, v in d.items() if k in _BRIEF}
        | {"targetServiceRevisionArn": d["targetServiceRevision"]["arn"]}
        for d in all_of_it
        if not wanted or d["status"] in wanted
    ]
    return page(brief, asked, "serviceDeployments", size=20)


def _known(world: World) -> dict[str, tuple[Service, Deployment]]:
    return {_deployment_arn(s, d): (s, d) for s in world.services.values() for d in s.history}


def describe_service_deployments(simulation: Simulation, asked: Structure) -> Answer:
    known = _known(simulation.world())
    arns = several(asked, "serviceDeploymentArns", "Service deployments", 20)
    return {
        "serviceDeployments": [
            _service_deployment(simulation, *known[a]) for a in arns if a in known
        ],
        "failures": [missing(a) for a in arns if a not in known],
    }


def stop_service_deployment(simulation: Simulation, asked: Structure) -> Answer:
    arn = asked["serviceDeploymentArn"]
    found = _known(simulation.world()).get(arn)
    if found is None:
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    service, value = found
    if asked.get("stopType", "ROLLBACK") != "ROLLBACK":
        raise invalid("the sandbox stops a deployment only with ROLLBACK")
    if value is not service.primary or value.rollout != "IN_PROGRESS":
        raise Refused("ConflictException", "The service deployment is not in progress.")
    simulation.engine.stop_deployment(service.spec.cluster, service.spec.name)
    return {"serviceDeploymentArn": arn}


def describe_service_revisions(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    known = {_revision_arn(s, d): (s, d) for s in world.services.values() for d in s.history}
    arns = several(asked, "serviceRevisionArns", "Service revisions", 20)
    return {
        "serviceRevisions": [_revision(simulation, a, *known[a]) for a in arns if a in known],
        "failures": [missing(a) for a in arns if a not in known],
    }


def _revision(simulation: Simulation, arn: str, found: Service, value: Deployment) -> Answer:
    world = simulation.world()
    described = answers.service(simulation, found)
    images = [
        {"containerName": c["name"], "image": c["image"]}
        | ({"imageDigest": value.digests[c["image"]]} if c["image"] in value.digests else {})
        for c in world.definitions[value.task_definition].containers
    ]
    kept = ("launchType", "capacityProviderStrategy", "loadBalancers", "networkConfiguration")
    return {k: described[k] for k in kept if k in described} | {
        "serviceRevisionArn": arn,
        "serviceArn": found.arn,
        "clusterArn": answers.cluster_arn(world, found.spec.cluster),
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
