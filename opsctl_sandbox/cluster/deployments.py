"""Deployments of a service: their beginning, the circuit breaker, rollback and completion."""

from opsctl_sandbox.cluster import tasks
from opsctl_sandbox.cluster.service_events import say
from opsctl_sandbox.cluster.values import Deployment, Service, Task
from opsctl_sandbox.cluster.world import World

BREAKER = "ECS deployment circuit breaker: "


def threshold(desired: int) -> int:
    """Failures in a row that trip the breaker: half the desired count, from 3 to 200."""
    return min(200, max(3, -(-desired // 2)))


def begin(world: World, service: Service, definition: str, *, rolls_back: str = "") -> Deployment:
    """A new PRIMARY; the one before becomes ACTIVE and leaves when its tasks have gone."""
    for earlier in service.deployments:
        earlier.status = "ACTIVE"
        earlier.updated = world.now
    identifier = f"ecs-svc/{world.random.randrange(10**18, 10**19)}"
    reason = f"ECS deployment {identifier} in progress."
    if rolls_back:
        reason = f"{BREAKER}rolling back to deploymentId {rolls_back}."
    deployment = Deployment(
        identifier,
        definition,
        "PRIMARY",
        service.spec.desired,
        world.now,
        world.now,
        rollout_reason=reason,
        rolls_back=rolls_back,
        digests=_pinned(world, service, definition),
    )
    service.deployments.insert(0, deployment)
    service.history.insert(0, deployment)
    service.not_before = world.now
    return deployment


def _pinned(world: World, service: Service, definition: str) -> dict[str, str]:
    containers = world.definitions[definition].containers
    pinned = {
        c["image"]: world.digest_of(c["image"])
        for c in containers
        if c.get("versionConsistency") != "disabled"
    }
    return {image: digest for image, digest in pinned.items() if digest}


def of(world: World, service: Service, deployment: Deployment) -> list[Task]:
    return [
        t
        for t in world.tasks.values()
        if t.deployment == deployment.id and t.cluster == service.spec.cluster
    ]


def judge(world: World, service: Service) -> None:
    """Count each ended task of each deployment once: a failure unless it had proved healthy or
    the scheduler itself had no more use for it. A healthy task ends the row of failures."""
    for deployment in service.deployments:
        for task in of(world, service, deployment):
            if task.was_healthy and task.desired == "RUNNING":
                deployment.consecutive_failures = 0
            if task.judged or task.desired == "RUNNING":
                continue
            task.judged = True
            failed = task.stop_code in (tasks.FAILED_TO_START, tasks.ESSENTIAL_EXITED)
            if failed and not task.was_healthy:
                count_failure(world, service, deployment)


def count_failure(world: World, service: Service, deployment: Deployment) -> None:
    deployment.failed_tasks += 1
    deployment.consecutive_failures += 1
    rounds = deployment.consecutive_failures // max(1, service.spec.desired)
    if deployment.status != "PRIMARY" or not rounds:
        return
    clocks = world.timings
    wait = min(clocks.backoff_limit, clocks.backoff_start * 2 ** min(rounds - 1, 10))
    service.not_before = world.now + wait
    say(world, service, "is unable to consistently start tasks successfully.")


def break_circuit(world: World, service: Service) -> None:
    """Fail the PRIMARY at its threshold and, with `rollback`, go back to the last completed one."""
    primary = service.primary
    if not service.spec.breaker or primary.rollout != "IN_PROGRESS":
        return
    if primary.consecutive_failures < threshold(service.spec.desired):
        return
    say(world, service, f"(deployment {primary.id}) deployment failed: tasks failed to start.")
    _give_up(world, service, f"{BREAKER}tasks failed to start.", back=service.spec.rollback)


def stop(world: World, service: Service) -> None:
    """End the PRIMARY on its owner's wish and go back to the last completed one."""
    _give_up(world, service, "Service deployment stopped by the user.", back=True)


def _give_up(world: World, service: Service, reason: str, *, back: bool) -> None:
    primary = service.primary
    primary.rollout = "FAILED"
    primary.rollout_reason = reason
    primary.updated = primary.finished = world.now
    good = next((d for d in service.history if d.rollout == "COMPLETED"), None)
    if back and not primary.rolls_back and good:
        say(world, service, f"rolling back to deployment {good.id}.")
        _return_to(world, service, good)
        return
    primary.desired = 0


def _return_to(world: World, service: Service, good: Deployment) -> None:
    """Make the good deployment PRIMARY again with the tasks it still has, or begin its like."""
    if good not in service.deployments:
        begin(world, service, good.task_definition, rolls_back=good.id)
        return
    service.deployments.remove(good)
    for other in service.deployments:
        other.status = "ACTIVE"
    service.deployments.insert(0, good)
    good.status, good.rollout, good.updated = "PRIMARY", "IN_PROGRESS", world.now
    good.rolls_back = good.id
    good.rollout_reason = f"{BREAKER}rolling back to deploymentId {good.id}."
    good.consecutive_failures = 0
    service.not_before = world.now


def settle(world: World, service: Service, steady: bool) -> None:
    """Retire deployments without tasks; complete the PRIMARY when the service is steady."""
    for earlier in service.deployments[1:]:
        if all(t.status == "STOPPED" for t in of(world, service, earlier)):
            earlier.status = "INACTIVE"
            earlier.finished = earlier.finished or world.now
            service.deployments.remove(earlier)
    if not steady or len(service.deployments) > 1:
        return
    primary = service.primary
    if primary.rollout == "IN_PROGRESS":
        primary.rollout = "COMPLETED"
        primary.rolls_back = ""
        primary.rollout_reason = f"ECS deployment {primary.id} completed."
        primary.updated = primary.finished = world.now
        say(world, service, f"(deployment {primary.id}) deployment completed.")
    say(world, service, "has reached a steady state.")
