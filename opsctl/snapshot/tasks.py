"""Read the tasks of a service. ECS forgets a stopped task after an hour."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef

BATCH = 100  # the maximum for DescribeTasks and DescribeContainerInstances
# ECS has no stop code for a task that it stops because of health checks or a lost instance.
_GONE = re.compile(
    r"Host EC2|instance (?:was )?(?:terminated|deregistered)|Spot Task was interrupted"
    r"|\(instance \S+\) was deregistered",
    re.IGNORECASE,
)
_HEALTH_CHECKS = "Task failed ELB health checks"


@dataclass(frozen=True, slots=True)
class Container:
    """A container.

    `exit_code` is None until it exits, or if it never ran. `ports` are host ports.
    """

    name: str
    exit_code: int | None = None
    reason: str = ""
    health: str = ""
    digest: str = ""
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `deployment` is the id of the deployment that started it; `instance` is an ARN.

    `status` is what the agent last reported, `desired` what ECS wants: RUNNING or STOPPED. A task
    that ECS stops stays RUNNING until its agent has acknowledged that.
    """

    id: str
    status: str
    task_definition: str
    deployment: str
    instance: str = ""
    zone: str = ""
    stop_code: str = ""
    reason: str = ""
    containers: tuple[Container, ...] = ()
    health: str = ""
    created: datetime | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    desired: str = "RUNNING"

    @property
    def running(self) -> bool:
        return self.status == "RUNNING" and not self.stopping

    @property
    def stopping(self) -> bool:
        return self.desired == "STOPPED" and not self.is_stopped

    @property
    def in_words(self) -> str:
        """Return the status in lower case; `stopping` before the agent has acknowledged it."""
        unseen = self.stopping and self.status == "RUNNING"
        return "stopping" if unseen else self.status.lower()

    @property
    def is_stopped(self) -> bool:
        return self.status in ("STOPPED", "DEPROVISIONING", "DELETED")

    @property
    def failed_health_checks(self) -> bool:
        return self.reason.startswith(_HEALTH_CHECKS)

    @property
    def lost(self) -> bool:
        """Whether the task ended because its instance did."""
        notice = self.stop_code in ("TerminationNotice", "SpotInterruption")
        return notice or bool(_GONE.search(self.reason))

    @property
    def exited(self) -> bool:
        """Whether the task exited by itself, so that its log may say why."""
        return self.stop_code == "EssentialContainerExited"

    @property
    def failed(self) -> bool:
        return self.exited or self.failed_health_checks or self.stop_code == "TaskFailedToStart"

    @property
    def exit_code(self) -> int | None:
        """Exit code of the first container that failed, else of the first that exited."""
        codes = [one.exit_code for one in self.containers if one.exit_code is not None]
        return next((code for code in codes if code), codes[0] if codes else None)

    @property
    def culprits(self) -> tuple[str, ...]:
        """Names of the containers that failed or give a reason. Their log lines matter most."""
        return tuple(one.name for one in self.containers if one.exit_code or one.reason)

    @property
    def why(self) -> str:
        """Why the task stopped. Prefers the containers' reasons: on EC2 the task's own is often
        generic.
        """
        if self.failed_health_checks:
            return _HEALTH_CHECKS
        own = "; ".join(_why(container) for container in self.containers if _why(container))
        first, second = (own, self.reason) if self.failed else (self.reason, own)
        return first or second or self.stop_code or "no reason given"


def read(ecs: "ECSClient", cluster: str, service: str) -> tuple[Task, ...]:
    """Return running and stopped tasks; none when the cluster or the service does not exist."""
    where = (ecs, cluster, service)
    running, stopped = together(
        [partial(_read, *where, "RUNNING"), partial(_read, *where, "STOPPED")]
    )
    # A task may stop between the two calls. Keep the stopped one, which says more.
    gone = {task.id for task in stopped}
    return (*(task for task in running if task.id not in gone), *stopped)


def ended(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks that failed after they had started, newest first. Their logs may say why."""
    ran = [task for task in tasks if task.exited or (task.failed and task.started)]
    return sorted(ran, key=lambda task: _seconds(task.stopped), reverse=True)


def by_start(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks sorted by start time, newest first."""
    return sorted(tasks, key=lambda task: _seconds(task.started), reverse=True)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def batches(arns: Sequence[str]) -> list[list[str]]:
    return [list(arns[start : start + BATCH]) for start in range(0, len(arns), BATCH)]


def _read(
    ecs: "ECSClient", cluster: str, service: str, status: Literal["RUNNING", "STOPPED"]
) -> list[Task]:
    arns: list[str] = []
    try:
        for page in ecs.get_paginator("list_tasks").paginate(
            cluster=cluster, serviceName=service, desiredStatus=status
        ):
            arns += page["taskArns"]
    except (ecs.exceptions.ClusterNotFoundException, ecs.exceptions.ServiceNotFoundException):
        return []
    describe = partial(ecs.describe_tasks, cluster=cluster)
    described = together([partial(describe, tasks=batch) for batch in batches(arns)])
    return [_task(task) for answer in described for task in answer["tasks"]]


def _why(container: Container) -> str:
    parts = []
    if container.exit_code is not None:
        parts.append(f"`{container.name}` exited {container.exit_code}")
    if container.reason:
        parts.append(f"`{container.name}`: {container.reason}")
    return "; ".join(parts)


def _task(task: "TaskTypeDef") -> Task:
    return Task(
        id=task["taskArn"].rpartition("/")[2],
        status=task.get("lastStatus", ""),
        task_definition=task.get("taskDefinitionArn", ""),
        deployment=task.get("startedBy", ""),
        instance=task.get("containerInstanceArn", ""),
        zone=task.get("availabilityZone", ""),
        stop_code=task.get("stopCode", ""),
        reason=task.get("stoppedReason", ""),
        containers=tuple(
            Container(
                name=container.get("name", ""),
                exit_code=container.get("exitCode"),
                reason=container.get("reason", ""),
                health=container.get("healthStatus", ""),
                digest=container.get("imageDigest", ""),
                ports=tuple(
                    binding["hostPort"]
                    for binding in container.get("networkBindings", ())
                    if binding.get("hostPort")
                ),
            )
            for container in task.get("containers", ())
        ),
        health=task.get("healthStatus", ""),
        created=task.get("createdAt"),
        started=task.get("startedAt"),
        stopped=task.get("stoppedAt"),
        desired=task.get("desiredStatus", ""),
    )
