"""The service scheduler: every few seconds it brings a service nearer to its specification, within
its minimum and maximum healthy percent.
"""

from collections import Counter
from dataclasses import dataclass

from opsctl_sandbox.cluster import deployments, placement, targets, tasks
from opsctl_sandbox.cluster.placement import NoRoom
from opsctl_sandbox.cluster.service_events import GUIDE, listed, say
from opsctl_sandbox.cluster.service_events import tasks as counted
from opsctl_sandbox.cluster.values import Service, Task
from opsctl_sandbox.cluster.world import World

INITIATED = "ServiceSchedulerInitiated"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least number of healthy and the greatest number of running tasks of a service."""

    lower: int
    upper: int


def bounds(desired: int, minimum_percent: int, maximum_percent: int) -> Bounds:
    """Return the bounds. ECS rounds the minimum up and the maximum down."""
    return Bounds(-(-desired * minimum_percent // 100), desired * maximum_percent // 100)


def tick(world: World, service: Service) -> None:
    """Run the scheduler once, and schedule the next round."""
    if service.status == "INACTIVE":
        return
    living = _living(world, service)
    _prove(world, service, living)
    deployments.judge(world, service)
    if service.status == "DRAINING":
        _drain_away(world, service)
    else:
        deployments.detect_failure(world, service)
        _stop_unhealthy(world, service)
        short = _start(world, service)
        _stop_surplus(world, service, short)
        deployments.settle(world, service, steady(world, service))
    world.after(world.timings.schedule, tick, world, service)


def all_tasks(world: World, service: Service) -> list[Task]:
    key = (service.spec.cluster, service.spec.name)
    return [t for t in world.tasks.values() if (t.cluster, t.service) == key]


def _living(world: World, service: Service) -> list[Task]:
    return [t for t in all_tasks(world, service) if t.desired == "RUNNING"]


def _prove(world: World, service: Service, living: list[Task]) -> None:
    """Without a load balancer, a task counts as healthy once it has run for a while."""
    if service.spec.load_balancers:
        return
    for task in living:
        if task.status == "RUNNING" and task.started is not None:
            task.was_healthy |= world.now - task.started >= world.timings.prove


def healthy(world: World, task: Task) -> bool:
    """Return whether the task counts towards the minimum: proved, running, no failing check."""
    return (
        task.desired == "RUNNING"
        and task.status == "RUNNING"
        and task.was_healthy
        and all(t.state == "healthy" for t in targets.of_task(world, task.arn))
    )


def _drain_away(world: World, service: Service) -> None:
    for task in _living(world, service):
        tasks.stop(world, task, INITIATED, "Service is being deleted")
    if all(t.status == "STOPPED" for t in all_tasks(world, service)):
        service.status = "INACTIVE"


def _stop_unhealthy(world: World, service: Service) -> None:
    for task in _living(world, service):
        bad = [t for t in targets.of_task(world, task.arn) if t.state == "unhealthy"]
        if not bad or task.started is None or world.now - task.started < service.spec.grace:
            continue
        where = f"(target-group {bad[0].target_group})"
        say(
            world,
            service,
            f"(instance {bad[0].instance}) (port {bad[0].port}) is unhealthy in {where} "
            f"due to (reason {bad[0].description})",
        )
        if not task.was_healthy:
            for deployment in service.deployments:
                if deployment.id == task.deployment:
                    deployments.count_failure(world, service, deployment)
        tasks.stop(world, task, INITIATED, f"Task failed ELB health checks in {where}")
        say(world, service, f"has stopped 1 running tasks: {listed([task.id])}.")


def _staying(world: World, task: Task) -> bool:
    """Return whether the task may stay on its instance, which must not be draining."""
    instance = world.instances.get(task.instance)
    return instance is not None and not instance.draining


def _start(world: World, service: Service) -> int:
    """Start what the PRIMARY lacks, within the maximum and the room.

    Returns how many are missing.
    """
    primary, spec = service.primary, service.spec
    service.short = 0
    if primary.rollout == "FAILED" and primary.desired == 0:
        return 0
    primary.desired = spec.desired
    living = _living(world, service)
    mine = [t for t in living if t.deployment == primary.id and _staying(world, t)]
    wanted = spec.desired - len(mine)
    if wanted <= 0 or world.now < service.not_before:
        return 0
    free = bounds(spec.desired, spec.minimum_percent, spec.maximum_percent).upper - len(living)
    begun: list[str] = []
    definition = world.definitions[primary.task_definition]
    for _ in range(min(wanted, free)):
        group = f"service:{spec.name}"
        where = placement.place(world, spec.cluster, definition, spec.spread, group)
        if isinstance(where, NoRoom):
            service.short = min(wanted, free) - len(begun)
            say(
                world,
                service,
                "was unable to place a task because no container instance met all of its "
                f"requirements. {where.reason} {GUIDE}",
            )
            break
        task = tasks.create(world, where, definition, group=group, deployment=primary)
        begun.append(task.id)
    if begun:
        say(world, service, f"has started {counted(len(begun))}: {listed(begun)}.")
    return wanted - len(begun)


def _stop_surplus(world: World, service: Service, short: int) -> None:
    """Stop surplus tasks, but never so many that the minimum would not be kept."""
    primary, spec = service.primary, service.spec
    living = _living(world, service)
    if primary.rollout == "FAILED" and primary.desired == 0:
        # Without a rollback target the failed revision's tasks stop; older tasks stay.
        old = [t for t in living if t.deployment == primary.id and not t.was_healthy]
        _stop(world, service, old)
        return
    old = [t for t in living if t.deployment != primary.id or not _staying(world, t)]
    new = [t for t in living if t not in old]
    excess = max(0, len(new) - spec.desired)
    well = sum(healthy(world, t) for t in living)
    lower = bounds(spec.desired, spec.minimum_percent, spec.maximum_percent).lower
    useless = [t for t in old if not healthy(world, t)]
    keep = lower if short else spec.desired
    useful = [t for t in old if healthy(world, t)][: max(0, well - keep)]
    # For one reason at a time: both together would go below the minimum.
    excess = 0 if useful else excess
    _stop(world, service, useless + useful + _crowded(world, new, excess))


def _crowded(world: World, among: list[Task], number: int) -> list[Task]:
    """Choose tasks to stop: unproved ones first, then from the fullest instance."""
    chosen: list[Task] = []
    for _ in range(number):
        rest = [t for t in among if t not in chosen]
        load = Counter(t.instance for t in rest)
        chosen.append(min(rest, key=lambda t: (healthy(world, t), -load[t.instance], -t.created)))
    return chosen


def _stop(world: World, service: Service, doomed: list[Task]) -> None:
    if not doomed:
        return
    draining = [t for t in doomed if targets.of_task(world, t.arn)]
    for task in doomed:
        why = f"Scaling activity initiated by (deployment {service.primary.id})"
        tasks.stop(world, task, INITIATED, why)
    if draining:
        number = counted(len(draining))
        say(
            world,
            service,
            f"has begun draining connections on {number}: {listed([t.id for t in draining])}.",
        )
    ids = [t.id for t in doomed]
    say(world, service, f"has stopped {len(ids)} running tasks: {listed(ids)}.")


def steady(world: World, service: Service) -> bool:
    """Return whether exactly the desired number of tasks runs, all healthy and of the PRIMARY."""
    everything = [t for t in all_tasks(world, service) if t.status != "STOPPED"]
    return len(everything) == service.spec.desired and all(
        healthy(world, t) and t.deployment == service.primary.id for t in everything
    )
