"""What CloudFormation waits for, decided from the world: a service's steady state, a group's
instances and signals, the time of a resource. Reasons are CloudFormation's own sentences.
"""

import re
from dataclasses import dataclass

from opsctl_sandbox.cluster import deployments, instances, services
from opsctl_sandbox.cluster.values import Deployment, Group, Service
from opsctl_sandbox.cluster.world import World

CANCELLED = "Resource {verb} cancelled"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_GROUP_WAIT = 900.0


@dataclass(frozen=True, slots=True)
class Done:
    """The resource is finished: complete when `reason` is '', failed otherwise."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """A CreationPolicy: the number of success signals, and the timeout in seconds."""

    count: int
    timeout: float


def signals(policy: dict[str, object] | None) -> Signals | None:
    """Parse the ResourceSignal of a CreationPolicy; by default one signal in five minutes."""
    signal = (policy or {}).get("ResourceSignal")
    if not isinstance(signal, dict):
        return None
    return Signals(int(signal.get("Count", 1)), seconds(str(signal.get("Timeout", "PT5M"))))


def seconds(duration: str) -> float:
    """Parse an ISO 8601 duration of hours, minutes and seconds."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return 300.0
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600.0 + minutes * 60.0 + rest


def duration(world: World, resource_type: str) -> float:
    """Return how long the resource takes by itself, from the seeded random source."""
    return world.about(world.timings.resources.get(resource_type, world.timings.resource))


def _handler(message: str, code: str, token: str) -> str:
    return (
        f'Resource handler returned message: "{message}" '
        f"(RequestToken: {token}, HandlerErrorCode: {code})"
    )


def service_done(world: World, service: Service, begun: Deployment, since: float) -> Done | None:
    """Return the result, or None until the service is steady with this deployment.

    A failed deployment becomes known only after its rollback, when ECS tells CloudFormation.
    """
    if begun.verdict in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"):
        return None
    current = service.primary
    if begun.rollout == "FAILED":
        stopped = begun.verdict_reason.startswith(deployments.BY_USER)
        if stopped and world.failures.take(("stopped-counts-as-done",), service.arn, world.now):
            return Done()
        message = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
        return Done(_handler(message, "GeneralServiceException", world.uuid()))
    if current.rollout == "COMPLETED" and services.steady(world, service):
        return Done()
    if world.now - since > world.timings.service_wait:
        return Done(_handler("Exceeded attempts to wait", "NotStabilized", world.uuid()))
    return None


def group_done(world: World, group: Group, expected: Signals | None, since: float) -> Done | None:
    """Return the result, or None while the group waits for instances or required signals."""
    mine = instances.of_group(world, group.spec.name)
    running = sum(i.state == "running" for i in mine)
    if expected is None:
        if running >= group.desired:
            return Done()
        if world.now - since > _GROUP_WAIT:
            sizes = f"{running}/{group.spec.minimum}/{group.desired}"
            message = (
                f"Group did not stabilize. {{current/minSize/desired}} instances = {{{sizes}}}"
            )
            return Done(message)
        return None
    received = [i.signalled for i in mine if i.signalled is not None]
    failures, successes = received.count(False), received.count(True)
    if failures:
        return Done(
            f"Received {failures} FAILURE signal(s) out of {expected.count}.  Unable to satisfy "
            "100% MinSuccessfulInstancesPercent requirement"
        )
    if successes >= expected.count:
        return Done()
    if world.now - since > expected.timeout:
        return Done(
            f"Failed to receive {expected.count - successes} resource signal(s) "
            "within the specified duration"
        )
    return None
