"""Deployments of a service: how they begin, fail, roll back and complete."""

from dataclasses import replace

from opsctl_sandbox.cluster import tasks
from opsctl_sandbox.cluster.service_events import say
from opsctl_sandbox.cluster.values import Deployment, Service, ServiceSpec, Task
from opsctl_sandbox.cluster.world import World

GOING_ON = ("IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
BREAKER = "ECS deployment circuit breaker: "
_ALARMS = "ECS deployment CloudWatch alarms: "
BY_USER = "Service deployment stopped by the user: "


def threshold(spec: ServiceSpec) -> int:
    """Return how many failures trip the breaker; by default half the desired count, 3 to 200."""
    kind, value = spec.threshold
    if kind == "COUNT":
        return value
    share = -(-spec.desired * value // 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))


def begin(world: World, service: Service, definition: str, *, rolls_back: str = "") -> Deployment:
    """Begin a new PRIMARY. The previous one becomes ACTIVE and ends with its last task."""
    for earlier in service.deployments:
        earlier.status = "ACTIVE"
        earlier.updated = world.now
    for earlier in service.history if not rolls_back else ():
        if earlier.verdict in GOING_ON:
            _judge(world, earlier, "STOPPED", "Superseded by a newer service deployment.")
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
        sources=tuple(earlier.revision for earlier in service.deployments),
        revision=rolls_back or identifier,
        ignored_alarms=frozenset(ringing(world, service.spec)),
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
    """Count each ended task of each deployment once.

    It is a failure unless it was healthy once or the scheduler itself stopped it. A healthy task
    resets the count of consecutive failures.
    """
    for deployment in service.deployments:
        for task in of(world, service, deployment):
            healthy = task.was_healthy and task.desired == "RUNNING"
            if healthy and service.spec.reset_on_healthy:
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


def ringing(world: World, spec: ServiceSpec) -> list[str]:
    """Return the service's deployment alarms that are in ALARM; unknown names do not count."""
    return [name for name in spec.alarms if world.alarms.get(name) == "ALARM"]


def detect_failure(world: World, service: Service) -> None:
    """Fail the PRIMARY at the breaker's threshold, or when one of its alarms goes into ALARM.

    With `rollback`, return to the last completed deployment.
    """
    primary, spec = service.primary, service.spec
    if primary.verdict == "ROLLBACK_REQUESTED":
        _give_up(world, service, f"{BY_USER}rolling back.", back=True)
    if primary.rollout != "IN_PROGRESS":
        return
    primary.triggered = tuple(a for a in ringing(world, spec) if a not in primary.ignored_alarms)
    if spec.breaker and primary.consecutive_failures >= threshold(spec):
        say(world, service, f"(deployment {primary.id}) deployment failed: tasks failed to start.")
        _give_up(world, service, f"{BREAKER}tasks failed to start.", back=spec.rollback)
    elif primary.triggered and not primary.rolls_back:
        say(world, service, f"(deployment {primary.id}) deployment failed: alarm detected.")
        _give_up(world, service, f"{_ALARMS}alarm detected.", back=spec.alarm_rollback)


def stop(world: World, service: Service) -> None:
    """Request the end of the PRIMARY.

    The scheduler's next round returns to the last completed deployment.
    """
    service.primary.verdict = "ROLLBACK_REQUESTED"
    service.primary.updated = world.now


def _judge(world: World, deployment: Deployment, verdict: str, reason: str = "") -> None:
    deployment.verdict = verdict  # type: ignore[assignment]  # one of Verdict's words
    deployment.verdict_reason = reason or deployment.verdict_reason
    deployment.updated = world.now
    if verdict != "ROLLBACK_IN_PROGRESS":
        deployment.finished = world.now


def _give_up(world: World, service: Service, reason: str, *, back: bool) -> None:
    primary = service.primary
    primary.rollout = "FAILED"
    primary.rollout_reason = reason
    primary.updated = primary.finished = world.now
    if primary.rolls_back:
        _judge(world, failed_before(service) or primary, "ROLLBACK_FAILED", reason)
    good = next((d for d in service.history if d.rollout == "COMPLETED"), None)
    if back and not primary.rolls_back and good:
        say(world, service, f"rolling back to deployment {good.id}.")
        _judge(world, primary, "ROLLBACK_IN_PROGRESS", reason)
        primary.back_to, primary.back_since = good.revision, world.now
        _return_to(world, service, good)
        return
    if not primary.rolls_back:
        _judge(world, primary, "STOPPED", reason)
    primary.desired = 0


def failed_before(service: Service) -> Deployment | None:
    """Return the deployment that the present rollback is for, or None."""
    return next((d for d in service.history if d.verdict == "ROLLBACK_IN_PROGRESS"), None)


def _return_to(world: World, service: Service, good: Deployment) -> None:
    """Make the good deployment PRIMARY again with its remaining tasks, or begin an equal one."""
    service.spec = replace(service.spec, task_definition=good.task_definition)
    if good not in service.deployments:
        begin(world, service, good.task_definition, rolls_back=good.revision)
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
    """Remove deployments without tasks. Complete the PRIMARY when the service is steady and its
    alarms have been watched for a while longer.
    """
    for earlier in service.deployments[1:]:
        if all(t.status == "STOPPED" for t in of(world, service, earlier)):
            earlier.status = "INACTIVE"
            earlier.finished = earlier.finished or world.now
            service.deployments.remove(earlier)
    primary = service.primary
    if not steady or len(service.deployments) > 1:
        primary.steady_since = None
        return
    if primary.steady_since is None:
        primary.steady_since = world.now
    bakes = service.spec.alarms and not primary.rolls_back and primary.rollout == "IN_PROGRESS"
    if bakes and world.now - primary.steady_since < world.timings.bake:
        return
    if primary.rollout == "IN_PROGRESS":
        _complete(world, service, primary)
    say(world, service, "has reached a steady state.")


def _complete(world: World, service: Service, primary: Deployment) -> None:
    rolled_back = failed_before(service) if primary.rolls_back else None
    if rolled_back is not None:
        _judge(world, rolled_back, "ROLLBACK_SUCCESSFUL")
    if primary.verdict == "IN_PROGRESS":
        _judge(world, primary, "SUCCESSFUL")
    primary.rollout = "COMPLETED"
    primary.rolls_back = ""
    primary.rollout_reason = f"ECS deployment {primary.id} completed."
    primary.updated = primary.finished = world.now
    say(world, service, f"(deployment {primary.id}) deployment completed.")
