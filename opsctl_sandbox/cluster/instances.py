"""Auto Scaling groups and their instances: how many, in which zones, launched and ended."""

from opsctl_sandbox.cluster import instance_types, placement, start, tasks
from opsctl_sandbox.cluster.values import Activity, Group, Instance
from opsctl_sandbox.cluster.world import World

# EC2's sentence: doccano#190; what Auto Scaling appends: kubernetes/autoscaler#1263.
_NO_IMAGE = "The image id '[{}]' does not exist. Launching EC2 instance failed."
_NO_CAPACITY = (
    "We currently do not have sufficient {kind} capacity in the Availability Zone you requested "
    "({zone}). Our system will be working on provisioning additional capacity. "
    "Launching EC2 instance failed."
)
_TO_BALANCE = "an instance was launched to aid in balancing the group's zones."
# The hook that ECS adds to the group of a capacity provider with managed draining.
MANAGED_DRAINING = "ecs-managed-draining-termination-hook"


def of_group(world: World, group: str) -> list[Instance]:
    """Return the instances that count for the group: those that are not leaving."""
    return [
        i
        for i in world.instances.values()
        if i.group == group and i.state in ("pending", "running") and not i.leaving
    ]


def balance(world: World, group: Group) -> None:
    """Launch or terminate instances until there are as many as desired."""
    present = of_group(world, group.spec.name)
    if "Launch" not in group.suspended:
        for _ in range(group.desired - len(present)):
            _launch(world, group)
    if group.balancing or "Terminate" in group.suspended:
        return
    for instance in _surplus(group, present, len(present) - group.desired):
        leave(world, instance, "a difference between desired and actual capacity")


def _surplus(group: Group, present: list[Instance], number: int) -> list[Instance]:
    """Choose instances to terminate by the default policy.

    From the fullest zone, there the ones with the oldest template, and of those the oldest.
    """
    chosen: list[Instance] = []
    for _ in range(number):
        rest = [i for i in present if i not in chosen]
        zones = [i.zone for i in rest]
        chosen.append(
            min(
                rest,
                key=lambda i: (
                    -zones.count(i.zone),
                    i.launch == group.spec.launch,
                    i.launched,
                    i.id,
                ),
            )
        )
    return chosen


def _record(world: World, group: Group, description: str, cause: str) -> Activity:
    activity = Activity(world.uuid(), group.spec.name, description, cause, world.now)
    group.activities.insert(0, activity)
    return activity


def _finish(world: World, activity: Activity) -> None:
    activity.status, activity.progress, activity.end = "Successful", 100, world.now


def _launch(world: World, group: Group, because: str = "") -> None:
    spec = group.spec
    here = [i.zone for i in of_group(world, spec.name)]
    index = min(range(len(spec.zones)), key=lambda n: (here.count(spec.zones[n]), n))
    zone = spec.zones[index]
    cause = because or (
        "an instance was started in response to a difference between desired and actual "
        f"capacity, increasing the capacity from {len(here)} to {len(here) + 1}."
    )
    failure = world.failures.take(("launch-refused",), spec.name, world.now)
    known = not spec.image or world.holds("machine image", spec.image)
    if failure or not known:
        activity = _record(world, group, "Launching a new EC2 instance.", cause)
        activity.status, activity.progress, activity.end = "Failed", 100, world.now
        absent = _NO_IMAGE.format(spec.image)
        own = _NO_CAPACITY.format(kind=spec.instance_type, zone=zone) if known else absent
        activity.message = (failure.reason if failure else "") or own
        world.after(world.timings.retry_launch, _retry, world, group)
        return
    cpu, memory = instance_types.size(spec.instance_type)
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
        spec.image,
        spec.script,
    )
    world.instances[identifier] = instance
    activity = _record(world, group, f"Launching a new EC2 instance: {identifier}", cause)
    activity.status, activity.progress = "PreInService", 30
    world.after(world.about(world.timings.launch_instance), _boot, world, instance, activity)


def _retry(world: World, group: Group) -> None:
    if group.deleting or "Launch" in group.suspended:
        return
    if len(of_group(world, group.spec.name)) < group.desired:
        _launch(world, group)


def _boot(world: World, instance: Instance, activity: Activity) -> None:
    if instance.state == "pending":
        start.boot(world, instance)
        _finish(world, activity)
    elif activity.end is None:
        activity.status, activity.end = "Cancelled", world.now


def leave(world: World, instance: Instance, why: str) -> None:
    """Remove the instance from the group: it is terminated once its lifecycle hooks agree."""
    if instance.leaving or instance.state in ("shutting-down", "terminated"):
        return
    group = world.groups.get(instance.group)
    instance.leaving = True
    if group is None or not group.hooks or instance.state != "running":
        terminate(world, instance, why)
        return
    activity = _going(world, group, instance, why)
    activity.status, activity.progress = "MidTerminatingLifecycleAction", 60
    for hook in group.hooks.values():
        instance.waits_for[hook.name] = world.now + hook.timeout
        world.after(hook.timeout, _time_out, world, instance, hook.name)
    world.after(world.timings.schedule, _move_tasks, world, instance)


def _time_out(world: World, instance: Instance, hook: str) -> None:
    """End the wait at its time-out, which a heartbeat may have moved."""
    end = instance.waits_for.get(hook)
    if end is not None and end <= world.now:
        proceed(world, instance, hook)
    elif end is not None:
        world.after(end - world.now, _time_out, world, instance, hook)


def proceed(world: World, instance: Instance, hook: str) -> None:
    """Complete one lifecycle action. When none is left, terminate the instance."""
    if instance.waits_for.pop(hook, None) is not None and not instance.waits_for:
        terminate(world, instance, "")


def _move_tasks(world: World, instance: Instance) -> None:
    """Managed draining: set the instance DRAINING, and end it when its tasks have moved."""
    if MANAGED_DRAINING not in instance.waits_for:
        return
    instance.draining = True
    if instance.joined and placement.occupants(world, instance.id):
        world.after(world.timings.schedule, _move_tasks, world, instance)
    else:
        proceed(world, instance, MANAGED_DRAINING)


def _going(world: World, group: Group, instance: Instance, why: str) -> Activity:
    cause = f"an instance was taken out of service in response to {why}."
    activity = _record(world, group, f"Terminating EC2 instance: {instance.id}", cause)
    activity.progress = 50
    return activity


def terminate(world: World, instance: Instance, why: str) -> None:
    """Terminate the instance at once; everything on it is lost."""
    if instance.state in ("shutting-down", "terminated"):
        return
    instance.state, instance.ended = "shutting-down", world.now
    instance.leaving, instance.agent_connected = True, False
    instance.waits_for.clear()
    group = world.groups.get(instance.group)
    activity = None
    if group:
        description = f"Terminating EC2 instance: {instance.id}"
        under_way = [a for a in group.activities if a.description == description and a.end is None]
        activity = under_way[0] if under_way else _going(world, group, instance, why)
        activity.status = "InProgress"
    for task in placement.occupants(world, instance.id):
        tasks.lose(world, task, f"Host EC2 (instance {instance.id}) terminated.")
    wait = world.about(world.timings.terminate_instance)
    world.after(wait, _terminated, world, instance, activity)


def even_out(world: World, group: Group) -> None:
    """Check the zones once, and schedule the next check a minute later.

    If one zone has two instances more than another, a new one is launched first, then one of the
    fuller zone is terminated.
    """
    if world.groups.get(group.spec.name) is not group:
        return
    if not group.deleting and not group.suspended.keys() & {"Launch", "Terminate", "AZRebalance"}:
        _even_out(world, group)
    world.after(world.timings.even_out, even_out, world, group)


def _even_out(world: World, group: Group) -> None:
    present = of_group(world, group.spec.name)
    if group.balancing:
        extra = world.instances.get(group.balancing)
        if extra is None or extra.state == "running" or extra.leaving:
            group.balancing = ""
            balance(world, group)
        return
    counts = [sum(i.zone == zone for i in present) for zone in group.spec.zones]
    settled = len(present) == group.desired and all(i.state == "running" for i in present)
    if settled and counts and max(counts) - min(counts) > 1:
        before = set(world.instances)
        _launch(world, group, _TO_BALANCE)
        group.balancing = next(iter(set(world.instances) - before), "")


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
