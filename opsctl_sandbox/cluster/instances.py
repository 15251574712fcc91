"""Auto Scaling groups and their instances: launch, boot, join, signal, terminate."""

from opsctl_sandbox.cluster import placement, tasks
from opsctl_sandbox.cluster.values import Activity, Group, Instance, WriteLog
from opsctl_sandbox.cluster.world import World

# Nominal (vCPU, MiB); the agent registers 1024 units a vCPU and a little less memory than nominal.
SIZES = {
    "t2.micro": (1, 1024),
    "t2.small": (1, 2048),
    "t2.medium": (2, 4096),
    "t3.micro": (2, 1024),
    "t3.small": (2, 2048),
    "t3.medium": (2, 4096),
    "t3.large": (2, 8192),
    "t3.xlarge": (4, 16384),
    "m5.large": (2, 8192),
    "m5.xlarge": (4, 16384),
    "c5.large": (2, 4096),
    "c5.xlarge": (4, 8192),
    "r5.large": (2, 16384),
}
_REGISTERED = 0.94
_NO_CAPACITY = (
    "We currently do not have sufficient {kind} capacity in the Availability Zone you requested "
    "({zone}). Our system will be working on provisioning additional capacity. "
    "Launching EC2 instance failed."
)
# What ecs-init writes to its own log while it starts the agent.
_ECS_INIT = (
    'level=info msg="pre-start"',
    'level=info msg="start"',
    'level=info msg="Starting Amazon Elastic Container Service Agent"',
)


def size(instance_type: str) -> tuple[int, int]:
    """Registered CPU units and MiB. Graviton and newer generations are as large as their
    older namesakes; an unknown size counts as a large."""
    family, _, suffix = instance_type.partition(".")
    known = SIZES.get(instance_type) or SIZES.get(f"{family[0]}5.{suffix}")
    vcpu, memory = known or SIZES.get(f"t3.{suffix}") or SIZES["t3.large"]
    return vcpu * 1024, int(memory * _REGISTERED)


def of_group(world: World, group: str) -> list[Instance]:
    """The instances the group counts: those not on their way out."""
    return [
        i
        for i in world.instances.values()
        if i.group == group and i.state in ("pending", "running")
    ]


def balance(world: World, group: Group) -> None:
    """Launch or terminate until there are as many as desired."""
    present = of_group(world, group.spec.name)
    for _ in range(group.desired - len(present)):
        _launch(world, group)
    for instance in _surplus(present, len(present) - group.desired):
        terminate(world, instance, "a difference between desired and actual capacity")


def _surplus(present: list[Instance], number: int) -> list[Instance]:
    """The oldest instances of the fullest zones go first."""
    chosen: list[Instance] = []
    for _ in range(number):
        rest = [i for i in present if i not in chosen]
        zones = [i.zone for i in rest]
        chosen.append(min(rest, key=lambda i: (-zones.count(i.zone), i.launched, i.id)))
    return chosen


def _record(world: World, group: Group, description: str, cause: str) -> Activity:
    activity = Activity(world.uuid(), group.spec.name, description, cause, world.now)
    group.activities.insert(0, activity)
    return activity


def _finish(world: World, activity: Activity) -> None:
    activity.status, activity.progress, activity.end = "Successful", 100, world.now


def _launch(world: World, group: Group) -> None:
    spec = group.spec
    here = [i.zone for i in of_group(world, spec.name)]
    index = min(range(len(spec.zones)), key=lambda n: (here.count(spec.zones[n]), n))
    zone = spec.zones[index]
    cause = (
        "an instance was started in response to a difference between desired and actual "
        f"capacity, increasing the capacity from {len(here)} to {len(here) + 1}."
    )
    failure = world.failures.take(("launch-refused",), spec.name, world.now)
    if failure:
        activity = _record(world, group, "Launching a new EC2 instance.", cause)
        activity.status, activity.progress, activity.end = "Failed", 100, world.now
        activity.message = failure.reason or _NO_CAPACITY.format(kind=spec.instance_type, zone=zone)
        world.after(world.timings.retry_launch, _retry, world, group)
        return
    cpu, memory = size(spec.instance_type)
    identifier = f"i-{world.identifier(17)}"
    instance = Instance(
        identifier,
        world.arn("ecs", f"container-instance/{spec.cluster}/{world.identifier()}"),
        spec.name,
        spec.cluster,
        zone,
        spec.subnets[index] if index < len(spec.subnets) else "",
        spec.instance_type,
        f"10.0.{index}.{world.random.randrange(10, 250)}",
        world.now,
        cpu,
        memory,
        spec.launch,
    )
    world.instances[identifier] = instance
    activity = _record(world, group, f"Launching a new EC2 instance: {identifier}", cause)
    activity.status, activity.progress = "PreInService", 30
    instance.console.append("[    0.000000] Linux version 6.1 (Amazon Linux 2023)")
    world.after(world.about(world.timings.launch_instance), _boot, world, instance, activity)
    world.after(world.about(world.timings.join_cluster), _join, world, instance)
    world.after(world.about(world.timings.signal), _signal, world, instance)


def _retry(world: World, group: Group) -> None:
    if not group.deleting and len(of_group(world, group.spec.name)) < group.desired:
        _launch(world, group)


def _boot(world: World, instance: Instance, activity: Activity) -> None:
    if instance.state == "pending":
        instance.state = "running"
        instance.console.append("cloud-init: running modules for config")
        world.emit(WriteLog("ecs", instance.id, _ECS_INIT))
        _finish(world, activity)
    elif activity.end is None:
        activity.status, activity.end = "Cancelled", world.now


def _log(world: World, instance: Instance, line: str) -> None:
    world.emit(WriteLog("agent", instance.id, (line,)))


def _join(world: World, instance: Instance) -> None:
    if instance.state != "running":
        return
    subject = f"{instance.group} {instance.id}"
    failure = world.failures.take(("instance-never-joins",), subject, world.now)
    if failure:
        line = failure.reason or (
            'level=error msg="Unable to register as a container instance with ECS: '
            'RequestCanceled: request context canceled"'
        )
        instance.console.extend(failure.log_lines or (line,))
        _log(world, instance, line)
        return
    instance.joined = instance.agent_connected = True
    instance.joined_at = world.now
    line = (
        f'level=info msg="Registered container instance with cluster! cluster={instance.cluster}"'
    )
    instance.console.append("ecs-init: the Amazon ECS agent was started")
    _log(world, instance, line)
    lost = world.failures.take(("agent-disconnected",), subject, world.now)
    if lost:
        world.after(lost.after, connect_agent, world, instance, False)


def connect_agent(world: World, instance: Instance, connected: bool) -> None:
    """Cut or mend the agent's connection; running tasks go on either way."""
    if instance.joined and instance.state == "running":
        instance.agent_connected = connected
        word = "Connected to" if connected else "Disconnected from"
        _log(world, instance, f'level=info msg="{word} ACS endpoint"')


def _signal(world: World, instance: Instance) -> None:
    if instance.state != "running":
        return
    subject = f"{instance.group} {instance.id}"
    if world.failures.take(("signal-missing",), subject, world.now):
        instance.console.append("cloud-init: Failed to run module scripts-user")
        return
    failure = world.failures.take(("signal-failure",), subject, world.now)
    instance.signalled = failure is None
    instance.console.extend(failure.log_lines if failure else ("cfn-signal: signalled success",))


def terminate(world: World, instance: Instance, why: str) -> None:
    """Terminate the instance; what ran on it is lost with it."""
    if instance.state in ("shutting-down", "terminated"):
        return
    instance.state = "shutting-down"
    instance.agent_connected = False
    group = world.groups.get(instance.group)
    cause = f"an instance was taken out of service in response to {why}."
    activity = None
    if group:
        activity = _record(world, group, f"Terminating EC2 instance: {instance.id}", cause)
        activity.progress = 50
    for task in placement.occupants(world, instance.id):
        tasks.lose(world, task, f"Host EC2 (instance {instance.id}) terminated.")
    wait = world.about(world.timings.terminate_instance)
    world.after(wait, _terminated, world, instance, activity)


def _terminated(world: World, instance: Instance, activity: Activity | None) -> None:
    instance.state = "terminated"
    if activity:
        _finish(world, activity)
    world.after(world.timings.remember_stopped, _forget, world, instance)
    group = world.groups.get(instance.group)
    left = [i for i in world.instances.values() if i.group == instance.group]
    if group and group.deleting and all(i.state == "terminated" for i in left):
        world.deleted_groups[group.spec.name] = world.groups.pop(instance.group)
    elif group and not group.deleting:
        balance(world, group)


def _forget(world: World, instance: Instance) -> None:
    world.instances.pop(instance.id, None)
