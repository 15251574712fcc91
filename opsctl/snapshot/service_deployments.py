"""Read ECS's record of a service's deployments: status, circuit breaker, alarms.

ECS has it since November 2024.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef

_NEWEST = 5


@dataclass(frozen=True, slots=True)
class ServiceDeployment:
    """A service deployment. `status` is ECS's: IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_FAILED…

    `failures` of `threshold` trip the circuit breaker; `alarms` are those that went off. `revision`
    is the ARN of the service revision that it deploys.
    """

    arn: str
    status: str
    reason: str = ""
    created: datetime | None = None
    finished: datetime | None = None
    breaker: str = ""
    failures: int = 0
    threshold: int = 0
    alarms: tuple[str, ...] = ()
    revision: str = ""

    @property
    def id(self) -> str:
        """The deployment's id as in DescribeServices, `ecs-svc/123`. The ARN ends with another one:
        the service revision has that number.
        """
        return f"ecs-svc/{self.revision.rpartition('/')[2]}"


def known(ecs: Any) -> bool:
    """Return whether the installed botocore has these operations."""
    return "ListServiceDeployments" in ecs.meta.service_model.operation_names


def read(ecs: "ECSClient", cluster: str, service: str) -> tuple[ServiceDeployment, ...]:
    """Return the newest ones, newest first; none if botocore or the endpoint lacks the call."""
    if not known(ecs):
        return ()
    try:
        listed = ecs.list_service_deployments(cluster=cluster, service=service, maxResults=_NEWEST)
    except ecs.exceptions.ClientError as error:
        if aws.code(error) in _ABSENT:
            return ()
        raise
    arns = [one["serviceDeploymentArn"] for one in listed["serviceDeployments"]]
    if not arns:
        return ()
    described = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    by_arn = {one["serviceDeploymentArn"]: one for one in described}
    return tuple(_deployment(by_arn[arn]) for arn in arns if arn in by_arn)


_ABSENT = {
    *("ClusterNotFoundException", "ServiceNotFoundException", "UnsupportedFeatureException"),
    *("UnknownOperationException", "InvalidAction", "ServiceNotActiveException"),
}


def _deployment(described: "ServiceDeploymentTypeDef") -> ServiceDeployment:
    breaker = described.get("deploymentCircuitBreaker", {})
    return ServiceDeployment(
        arn=described.get("serviceDeploymentArn", ""),
        status=described.get("status", ""),
        reason=described.get("statusReason", ""),
        created=described.get("createdAt"),
        finished=described.get("finishedAt"),
        breaker=breaker.get("status", ""),
        failures=breaker.get("failureCount", 0),
        threshold=breaker.get("threshold", 0),
        alarms=tuple(described.get("alarms", {}).get("triggeredAlarmNames", ())),
        revision=described.get("targetServiceRevision", {}).get("arn", ""),
    )
