"""What ECS and the load balancer say of a service now, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opsctl.errors import OpsError
from opsctl.rollout.room import Instance, TaskSize

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

Described = Mapping[str, Any]
_BATCH = 100  # what DescribeTasks and DescribeContainerInstances take at once


@dataclass(frozen=True, slots=True)
class Deployment:
    id: str
    status: str
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    state: str = ""
    reason: str = ""

    @property
    def revision(self) -> str:
        """The task definition as `family:revision`."""
        return self.task_definition.rpartition("/")[2]


_NOT_STARTED, _EXITED = "TaskFailedToStart", "EssentialContainerExited"
_SICK = "Task failed ELB health checks"


@dataclass(frozen=True, slots=True)
class Task:
    """`deployment` is the id of the deployment that started it; exits are `name exited N`."""

    id: str
    status: str
    task_definition: str
    deployment: str
    instance: str = ""
    stop_code: str = ""
    reason: str = ""
    exits: tuple[str, ...] = ()

    @property
    def sick(self) -> bool:
        """Stopped for its health checks; ECS has no stop code for that."""
        return self.reason.startswith(_SICK)

    @property
    def ran(self) -> bool:
        """Ended by itself, so it may have said why."""
        return self.stop_code == _EXITED

    @property
    def failed(self) -> bool:
        return self.ran or self.sick or self.stop_code == _NOT_STARTED

    @property
    def why(self) -> str:
        """The container's own words where it ended by itself: the task's are often generic."""
        if self.sick:
            return _SICK
        own = "; ".join(self.exits)
        first, second = (own, self.reason) if self.failed else (self.reason, own)
        return first or second or self.stop_code or "no reason given"


@dataclass(frozen=True, slots=True)
class Target:
    """`reason` is the load balancer's code, for instance Target.FailedHealthChecks."""

    id: str
    state: str
    reason: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Observation:
    """`balanced` tells that there is a target group, even while nothing is registered in it."""

    desired: int
    running: int
    pending: int
    deployments: tuple[Deployment, ...] = ()
    stopped: tuple[Task, ...] = ()
    targets: tuple[Target, ...] = ()
    messages: tuple[Message, ...] = ()
    balanced: bool = False

    @property
    def primary(self) -> Deployment | None:
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)


def observe(
    ecs: "ECSClient", elbv2: "ElasticLoadBalancingv2Client", cluster: str, service: str
) -> Observation:
    """One look: three or four calls. Raises OpsError when there is no such service."""
    found = describe(ecs, cluster, service)
    return Observation(
        desired=found["desiredCount"],
        running=found["runningCount"],
        pending=found["pendingCount"],
        deployments=tuple(map(_deployment, found.get("deployments", ()))),
        stopped=tuple(tasks(ecs, cluster, service, "STOPPED")),
        targets=tuple(_targets(elbv2, found)),
        # ECS gives the newest first.
        messages=tuple(
            Message(each["id"], each["message"]) for each in reversed(found.get("events", ()))
        ),
        balanced=bool(_target_groups(found)),
    )


def describe(ecs: "ECSClient", cluster: str, service: str) -> Described:
    """The service as ECS words it. Raises OpsError when it is not there or is going away."""
    try:
        services = ecs.describe_services(cluster=cluster, services=[service])["services"]
    except ecs.exceptions.ClusterNotFoundException as error:
        raise OpsError(f"there is no cluster `{cluster}`", hint="opsctl ecs up") from error
    if not services or services[0]["status"] != "ACTIVE":
        state = f" ({services[0]['status']})" if services else ""
        raise OpsError(
            f"there is no service `{service}` in `{cluster}`{state}", hint="opsctl ecs up"
        )
    found: Described = services[0]
    return found


def tasks(ecs: "ECSClient", cluster: str, service: str, desired_status: str) -> list[Task]:
    arns: list[str] = []
    for page in ecs.get_paginator("list_tasks").paginate(
        cluster=cluster,
        serviceName=service,
        desiredStatus=desired_status,  # type: ignore[arg-type]  # RUNNING or STOPPED
    ):
        arns += page["taskArns"]
    found: list[Task] = []
    for batch in _batches(arns):
        found += map(_task, ecs.describe_tasks(cluster=cluster, tasks=batch)["tasks"])
    return found


def images(ecs: "ECSClient", task_definition: str) -> tuple[str, ...]:
    found = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    return tuple(each.get("image", "") for each in found["containerDefinitions"])


def instances(ecs: "ECSClient", cluster: str, service: str) -> tuple[Instance, ...]:
    """Instances that take tasks: ACTIVE, with a connected agent."""
    arns: list[str] = []
    for page in ecs.get_paginator("list_container_instances").paginate(
        cluster=cluster, status="ACTIVE"
    ):
        arns += page["containerInstanceArns"]
    running = [task.instance for task in tasks(ecs, cluster, service, "RUNNING")]
    found: list[Instance] = []
    for batch in _batches(arns):
        described = ecs.describe_container_instances(cluster=cluster, containerInstances=batch)
        found += [
            _instance(each, running.count(each["containerInstanceArn"]))
            for each in described["containerInstances"]
            if each.get("agentConnected")
        ]
    return tuple(found)


def registered(ecs: "ECSClient", cluster: str) -> int:
    """How many instances have ever joined the cluster and are still known to it."""
    found = ecs.describe_clusters(clusters=[cluster])["clusters"]
    return found[0].get("registeredContainerInstancesCount", 0) if found else 0


def task_size(ecs: "ECSClient", task_definition: str) -> TaskSize:
    found = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    containers: Sequence[Mapping[str, Any]] = found["containerDefinitions"]
    ports = (mapping for each in containers for mapping in each.get("portMappings", ()))
    return TaskSize(
        cpu=int(found.get("cpu") or sum(int(each.get("cpu", 0)) for each in containers)),
        memory=int(found.get("memory") or sum(_reserved(each) for each in containers)),
        ports=frozenset(mapping["hostPort"] for mapping in ports if mapping.get("hostPort")),
    )


def _reserved(container: Mapping[str, Any]) -> int:
    """ECS places by the soft limit where there is one."""
    return int(container.get("memoryReservation") or container.get("memory") or 0)


def _deployment(found: Any) -> Deployment:
    return Deployment(
        id=found.get("id", ""),
        status=found["status"],
        task_definition=found["taskDefinition"],
        desired=found.get("desiredCount", 0),
        running=found.get("runningCount", 0),
        pending=found.get("pendingCount", 0),
        failed=found.get("failedTasks", 0),
        state=found.get("rolloutState", ""),
        reason=found.get("rolloutStateReason", ""),
    )


def _task(found: Any) -> Task:
    exits = []
    for each in found.get("containers", ()):
        # On EC2 the task's own reason is often generic; the container's tells more.
        if each.get("exitCode") is not None:
            exits.append(f"`{each['name']}` exited {each['exitCode']}")
        if each.get("reason"):
            exits.append(f"`{each['name']}`: {each['reason']}")
    return Task(
        id=found["taskArn"].rpartition("/")[2],
        status=found.get("lastStatus", ""),
        task_definition=found.get("taskDefinitionArn", ""),
        deployment=found.get("startedBy", ""),
        instance=found.get("containerInstanceArn", ""),
        stop_code=found.get("stopCode", ""),
        reason=found.get("stoppedReason", ""),
        exits=tuple(exits),
    )


def _targets(elbv2: "ElasticLoadBalancingv2Client", service: Mapping[str, Any]) -> list[Target]:
    found: list[Target] = []
    for group in _target_groups(service):
        health = elbv2.describe_target_health(TargetGroupArn=group)
        for each in health["TargetHealthDescriptions"]:
            state = each.get("TargetHealth", {})
            found.append(
                Target(
                    id=f"{each['Target']['Id']}:{each['Target'].get('Port', '')}",
                    state=state.get("State", ""),
                    reason=state.get("Reason", ""),
                    description=state.get("Description", ""),
                )
            )
    return found


def _target_groups(service: Mapping[str, Any]) -> list[str]:
    groups = (each.get("targetGroupArn") for each in service.get("loadBalancers", ()))
    return [group for group in groups if group]


def _instance(found: Any, old: int) -> Instance:
    remaining, whole = found["remainingResources"], found["registeredResources"]
    return Instance(
        id=found.get("ec2InstanceId", found["containerInstanceArn"]),
        cpu=_amount(remaining, "CPU"),
        memory=_amount(remaining, "MEMORY"),
        ports=frozenset(
            int(port)
            for each in remaining
            if each["name"] == "PORTS"
            for port in each.get("stringSetValue", ())
        ),
        whole_cpu=_amount(whole, "CPU"),
        whole_memory=_amount(whole, "MEMORY"),
        old=old,
    )


def _amount(resources: Any, name: str) -> int:
    return sum(int(each.get("integerValue", 0)) for each in resources if each["name"] == name)


def _batches(arns: Sequence[str]) -> list[list[str]]:
    return [list(arns[start : start + _BATCH]) for start in range(0, len(arns), _BATCH)]
