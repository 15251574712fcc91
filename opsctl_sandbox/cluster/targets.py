"""Targets of a network load balancer: registration, health by thresholds, draining."""

from collections.abc import Mapping

from opsctl_sandbox.cluster.failures import Kind
from opsctl_sandbox.cluster.intents import DeregisterTarget, RegisterTarget, TargetHealthy
from opsctl_sandbox.cluster.values import (
    LoadBalancer,
    Target,
    Task,
)
from opsctl_sandbox.cluster.world import World

Key = tuple[str, str, int]
# A planned failure -> the load balancer's reason code and description.
_FAILURES: Mapping[Kind, tuple[str, str]] = {
    "targets-timeout": ("Target.Timeout", "Request timed out"),
    "targets-refused": ("Target.FailedHealthChecks", "Health checks failed"),
    "targets-status": (
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [500]",
    ),
}


def of_task(world: World, task: str) -> list[Target]:
    return list(world.targets_of.get(task, ()))


def key(target: Target) -> Key:
    return (target.target_group, target.instance, target.port)


def register(world: World, task: Task, balancer: LoadBalancer) -> Target | None:
    """Register the task's port. Returns None when the container maps no such port."""
    ports = [
        host
        for container in task.containers
        if container.name == balancer.container
        for inside, host in container.host_ports
        if inside == balancer.container_port
    ]
    if not ports:
        return None
    target = Target(balancer.target_group, task.instance, ports[0], task.arn, world.now)
    _forget(world, world.targets.get(key(target), target))
    world.targets[key(target)] = target
    world.targets_of.setdefault(task.arn, []).append(target)
    world.emit(RegisterTarget(balancer.target_group, task.instance, ports[0], task.arn))
    world.after(world.about(world.timings.register_target), _begin_checks, world, target, balancer)
    return target


def _begin_checks(world: World, target: Target, balancer: LoadBalancer) -> None:
    if target.state != "initial" or world.targets.get(key(target)) is not target:
        return
    target.reason = "Elb.InitialHealthChecking"
    target.description = "Initial health checks in progress"
    if not world.real_tasks:
        _check(world, target, balancer)


def _check(world: World, target: Target, balancer: LoadBalancer) -> None:
    if target.state == "draining" or world.targets.get(key(target)) is not target:
        return
    task = world.tasks.get(target.task)
    subject = f"{task.definition.images} {task.definition.arn}" if task else ""
    failure = world.failures.take(tuple(_FAILURES), subject, world.now)
    if failure:
        code, usual = _FAILURES[failure.kind]
        words = failure.reason or usual
        observe(world, target, balancer, ok=False, reason=code, description=words)
    else:
        observe(world, target, balancer, ok=True)
    world.after(balancer.interval, _check, world, target, balancer)


def observe(
    world: World,
    target: Target,
    balancer: LoadBalancer,
    *,
    ok: bool,
    reason: str = "",
    description: str = "",
) -> None:
    """Count one health check. The state changes only at a threshold."""
    if target.state == "draining" or target.reason == "Elb.RegistrationInProgress":
        return
    target.checks_passed = target.checks_passed + 1 if ok else 0
    target.checks_failed = 0 if ok else target.checks_failed + 1
    if ok and target.state != "healthy" and target.checks_passed >= balancer.healthy_threshold:
        _change(world, target, healthy=True)
    if (
        not ok
        and target.state != "unhealthy"
        and target.checks_failed >= balancer.unhealthy_threshold
    ):
        target.reason = reason or "Target.FailedHealthChecks"
        usual = "Request timed out" if reason == "Target.Timeout" else "Health checks failed"
        target.description = description or usual
        _change(world, target, healthy=False)


def _change(world: World, target: Target, *, healthy: bool) -> None:
    target.state = "healthy" if healthy else "unhealthy"
    if healthy:
        target.reason = target.description = ""
    world.emit(
        TargetHealthy(target.target_group, target.instance, target.port, target.task, healthy)
    )
    task = world.tasks.get(target.task)
    if healthy and task and all(t.state == "healthy" for t in of_task(world, task.arn)):
        task.was_healthy = True


def drain(world: World, task: Task, balancers: tuple[LoadBalancer, ...]) -> float:
    """Deregister the task's targets. Returns the longest time that they drain, in seconds."""
    delays = {b.target_group: b.deregistration_delay for b in balancers}
    longest = 0.0
    for target in of_task(world, task.arn):
        delay = delays.get(target.target_group, 0.0)
        # A target that never had traffic has no connections to wait for.
        delay = delay if target.state in ("healthy", "unhealthy", "draining") else 0.0
        longest = max(longest, delay)
        deregister(world, target, delay)
    return longest


def deregister(world: World, target: Target, delay: float) -> None:
    """Drain the target for `delay` seconds, then forget it; ECS does not register it again."""
    if target.state == "draining":
        return
    target.state = "draining"
    target.reason = "Target.DeregistrationInProgress"
    target.description = "Target deregistration is in progress"
    world.emit(
        DeregisterTarget(target.target_group, target.instance, target.port, target.task, delay)
    )
    world.after(delay, _forget, world, target)


def _forget(world: World, target: Target) -> None:
    if world.targets.get(key(target)) is not target:
        return
    del world.targets[key(target)]
    rest = [one for one in of_task(world, target.task) if one is not target]
    world.targets_of.pop(target.task)
    if rest:
        world.targets_of[target.task] = rest
