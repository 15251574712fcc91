"""Read the container instances from ECS, and the group that launches them from Auto Scaling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.tasks import batches
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.type_defs import ContainerInstanceTypeDef, ResourceOutputTypeDef

_ACTIVITIES = 20
# Tag of the Auto Scaling group while opsctl replaces its instances.
ROLLING = "opsctl:roll"


@dataclass(frozen=True, slots=True)
class ContainerInstance:
    """A container instance.

    `cpu` (CPU units) and `memory` (MiB) are what remains; `whole_cpu` and `whole_memory` are its
    total. `ports` are the host ports in use. `machine` is the hash of the machine's settings with
    which opsctl launched it, '' for an older opsctl.
    """

    arn: str
    id: str
    status: str
    connected: bool
    cpu: int = 0
    memory: int = 0
    ports: frozenset[int] = frozenset()
    whole_cpu: int = 0
    whole_memory: int = 0
    zone: str = ""
    image: str = ""
    type: str = ""
    machine: str = ""
    running: int = 0
    pending: int = 0
    joined: datetime | None = None

    @property
    def takes_tasks(self) -> bool:
        return self.status == "ACTIVE" and self.connected


@dataclass(frozen=True, slots=True)
class GroupInstance:
    """An instance of the group. `lifecycle` is Auto Scaling's: Pending, InService, Terminating…"""

    id: str
    zone: str = ""
    lifecycle: str = ""
    health: str = ""

    @property
    def leaving(self) -> bool:
        return self.lifecycle.startswith(("Terminat", "Detach"))


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that the group did or tried. `status` is Successful, Failed, InProgress…"""

    id: str
    status: str
    description: str = ""
    message: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group. `activities` are newest first.

    A deleted group has no sizes, but still has its last activities. `suspended` are the group's
    suspended processes: Launch, Terminate…
    """

    name: str
    minimum: int = 0
    maximum: int = 0
    desired: int = 0
    instances: tuple[GroupInstance, ...] = ()
    activities: tuple[Activity, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    suspended: tuple[str, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether the group was deleted. One that a stack made has at least a size or tags."""
        return not (self.maximum or self.tags)

    @property
    def members(self) -> tuple[GroupInstance, ...]:
        """The group's instances without those that are terminating or detaching."""
        return tuple(one for one in self.instances if not one.leaving)

    def launched(self, instance: str) -> datetime | None:
        """Return when the instance was launched, or None if the last activities do not say."""
        times = (one.time for one in self.activities if instance in one.description and one.time)
        return min(times, default=None)

    @property
    def stands_still(self) -> str:
        """Name the suspended processes that keep instances from being launched or terminated, or
        ''.
        """
        return ", ".join(one for one in self.suspended if one in ("Launch", "Terminate"))

    @property
    def refusal(self) -> str:
        """EC2's answer to the last launch that failed; '' when none failed."""
        failed = (one.message for one in self.activities if one.status == "Failed" and one.message)
        return next(failed, "")


def not_joined(
    group: Group | None, instances: Sequence[ContainerInstance]
) -> tuple[GroupInstance, ...]:
    """Return the group's instances that are not in the cluster, terminating ones included."""
    joined = {one.id for one in instances}
    return tuple(one for one in group.instances if one.id not in joined) if group else ()


def drained_by_hand(
    instances: Sequence[ContainerInstance], group: Group | None
) -> tuple[ContainerInstance, ...]:
    """Return draining instances that neither a roll nor the group is about to terminate."""
    if group is None or ROLLING in group.tags:
        return ()
    staying = {one.id for one in group.members}
    return tuple(one for one in instances if one.status == "DRAINING" and one.id in staying)


def read(ecs: "ECSClient", cluster: str) -> tuple[ContainerInstance, ...]:
    """Return all container instances, draining ones included; none when there is no cluster."""
    arns: list[str] = []
    try:
        for page in ecs.get_paginator("list_container_instances").paginate(cluster=cluster):
            arns += page["containerInstanceArns"]
    except ecs.exceptions.ClusterNotFoundException:
        return ()
    describe = partial(ecs.describe_container_instances, cluster=cluster)
    described = together([partial(describe, containerInstances=batch) for batch in batches(arns)])
    return tuple(_instance(one) for answer in described for one in answer["containerInstances"])


def group(autoscaling: "AutoScalingClient", name: str) -> Group:
    """Return the group and its last activities.

    Activities outlive a group that a rollback deleted.
    """
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    activities = autoscaling.describe_scaling_activities(
        AutoScalingGroupName=name, IncludeDeletedGroups=True, MaxRecords=_ACTIVITIES
    )
    read = tuple(
        Activity(
            id=activity["ActivityId"],
            status=activity["StatusCode"],
            description=activity.get("Description", ""),
            message=activity.get("StatusMessage", ""),
            time=activity.get("StartTime"),
        )
        for activity in activities["Activities"]
    )
    described = groups["AutoScalingGroups"]
    return _group(described[0], read) if described else Group(name, activities=read)


def _group(group: "AutoScalingGroupTypeDef", activities: tuple[Activity, ...]) -> Group:
    return Group(
        name=group["AutoScalingGroupName"],
        minimum=group["MinSize"],
        maximum=group["MaxSize"],
        desired=group["DesiredCapacity"],
        instances=tuple(
            GroupInstance(
                id=instance["InstanceId"],
                zone=instance["AvailabilityZone"],
                lifecycle=instance["LifecycleState"],
                health=instance["HealthStatus"],
            )
            for instance in group.get("Instances", ())
        ),
        activities=activities,
        tags={tag.get("Key", ""): tag.get("Value", "") for tag in group.get("Tags", ())},
        suspended=tuple(one.get("ProcessName", "") for one in group.get("SuspendedProcesses", ())),
    )


def _instance(instance: "ContainerInstanceTypeDef") -> ContainerInstance:
    remaining = instance.get("remainingResources", [])
    whole = instance.get("registeredResources", [])
    attributes = {one["name"]: one.get("value", "") for one in instance.get("attributes", ())}
    return ContainerInstance(
        arn=instance["containerInstanceArn"],
        id=instance.get("ec2InstanceId", instance["containerInstanceArn"]),
        status=instance.get("status", ""),
        connected=instance.get("agentConnected", False),
        cpu=_amount(remaining, "CPU"),
        memory=_amount(remaining, "MEMORY"),
        ports=frozenset(
            int(port)
            for resource in remaining
            if resource.get("name") == "PORTS"
            for port in resource.get("stringSetValue", ())
        ),
        whole_cpu=_amount(whole, "CPU"),
        whole_memory=_amount(whole, "MEMORY"),
        zone=attributes.get("ecs.availability-zone", ""),
        image=attributes.get("ecs.ami-id", ""),
        type=attributes.get("ecs.instance-type", ""),
        machine=attributes.get("opsctl.machine", ""),
        running=instance.get("runningTasksCount", 0),
        pending=instance.get("pendingTasksCount", 0),
        joined=instance.get("registeredAt"),
    )


def _amount(resources: "Sequence[ResourceOutputTypeDef]", name: str) -> int:
    return sum(int(one.get("integerValue", 0)) for one in resources if one.get("name") == name)
