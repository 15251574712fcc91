"""Read an ECS service: its counts, deployments and events."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from opsctl.config import deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef

# A target that fails its health check, in ECS's words. The group is the load balancer's reason.
UNHEALTHY = re.compile(r"is unhealthy in .* due to \(reason (.+)\)")
_TASK_IDS = re.compile(r":?(?: \(task [0-9a-f]+\))+")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. `status` is PRIMARY, ACTIVE or DRAINING; `state` the rollout state, or ''.

    `failed` counts the tasks that failed to start or to become healthy.
    """

    id: str
    status: str
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int = 0
    state: str = ""
    reason: str = ""
    created: datetime | None = None

    @property
    def revision(self) -> str:
        """The task definition as `family:revision`."""
        return self.task_definition.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """A message of the service scheduler. ECS does not repeat the same message for hours."""

    id: str
    text: str
    time: datetime | None = None

    @property
    def sentence(self) -> str:
        """The text without the ids of tasks, which ECS lists all."""
        return _TASK_IDS.sub("", self.text)


@dataclass(frozen=True, slots=True)
class Service:
    """A service. `events` are oldest first; the percents are of `desired`, as ECS defines them.
    `rolls_back` is what the breaker does.
    """

    cluster: str
    name: str
    desired: int
    running: int
    pending: int
    task_definition: str = ""
    deployments: tuple[Deployment, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    target_groups: tuple[str, ...] = ()
    minimum_percent: int = 100
    maximum_percent: int = 200
    breaker: bool = False
    rolls_back: bool = False

    @property
    def rolls(self) -> str:
        """How its deployments roll, in words."""
        limits = self.minimum_percent, self.maximum_percent
        return deployment.in_words(*limits, breaker=self.breaker, rollback=self.rolls_back)

    @property
    def primary(self) -> Deployment | None:
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)


def describe(ecs: "ECSClient", cluster: str, service: str) -> Service | None:
    """Return the service, or None when it or its cluster does not exist or is being deleted."""
    try:
        services = ecs.describe_services(cluster=cluster, services=[service])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    return (
        _service(cluster, services[0]) if services and services[0]["status"] == "ACTIVE" else None
    )


def _service(cluster: str, service: "ServiceTypeDef") -> Service:
    configuration = service.get("deploymentConfiguration", {})
    breaker = configuration.get("deploymentCircuitBreaker", {"enable": False, "rollback": False})
    groups = (balancer.get("targetGroupArn", "") for balancer in service.get("loadBalancers", ()))
    return Service(
        cluster=cluster,
        name=service.get("serviceName", ""),
        desired=service["desiredCount"],
        running=service["runningCount"],
        pending=service["pendingCount"],
        task_definition=service.get("taskDefinition", ""),
        deployments=_deployments(service.get("deployments", ())),
        events=tuple(
            # ECS lists the newest event first.
            ServiceEvent(event["id"], event["message"], event.get("createdAt"))
            for event in reversed(service.get("events", ()))
        ),
        target_groups=tuple(filter(None, groups)),
        minimum_percent=configuration.get("minimumHealthyPercent", 100),
        maximum_percent=configuration.get("maximumPercent", 200),
        breaker=breaker.get("enable", False),
        rolls_back=breaker.get("rollback", False),
    )


def _deployments(deployments: "Sequence[DeploymentTypeDef]") -> tuple[Deployment, ...]:
    return tuple(
        Deployment(
            id=deployment.get("id", ""),
            status=deployment["status"],
            task_definition=deployment["taskDefinition"],
            desired=deployment.get("desiredCount", 0),
            running=deployment.get("runningCount", 0),
            pending=deployment.get("pendingCount", 0),
            failed=deployment.get("failedTasks", 0),
            state=deployment.get("rolloutState", ""),
            reason=deployment.get("rolloutStateReason", ""),
            created=deployment.get("createdAt"),
        )
        for deployment in deployments
    )
