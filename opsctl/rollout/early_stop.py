"""End a rollout that can only fail, instead of waiting for the breaker or for CloudFormation.

AWS does not document how a stack that waits for a service ends when its deployment is stopped
(`StopServiceDeployment`). So the stack is followed to its end, and then what runs is compared with
what the stack asks for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.config.model import Config
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, ask, look_at
from opsctl.rollout.early import Doom, Outlook
from opsctl.rollout.verdict import Goal
from opsctl.snapshot import service_deployments
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import join as joining
from opsctl.stacks.definition import Stack
from opsctl.stacks.operation import Operation
from opsctl.stacks.plan import Planning

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOK = Look(frozenset({"stacks", "service"}), ("ecs",))
_IMAGES = Look(frozenset({"service", "task_definitions", "registry_images"}), ("ecr",))
_BREAKER = Look(frozenset({"service_deployments"}), ())
_UNKNOWN = {"UnknownOperationException", "InvalidAction", "UnsupportedFeatureException"}


@dataclass(frozen=True, slots=True)
class CertainFailure:
    """The rollout can only fail. `stops`: roll back even if nobody answers the question."""

    doom: Doom
    stops: bool


class EarlyStop:
    """Watches a rollout. `done` is True once this has begun to roll it back."""

    def __init__(
        self, clients: "Clients", config: Config, now: Snapshot, operation: Operation | None = None
    ) -> None:
        self._clients = clients
        self._config = config
        self._operation = operation
        self._outlook = Outlook.begin(now, breaker=config.ecs.breaker.enable)
        self._said = ""
        self.done = False

    def __call__(self, goal: Goal, now: Snapshot) -> Procedure[None]:
        if self.done:
            return
        self._outlook = self._outlook.see(now, goal)
        doom = self._outlook.doom
        if doom is None or self._said == _word(doom) or not _runs(goal, now):
            return
        if doom.certain and doom.cause.id == "image-not-found":
            doom = replace(doom, certain=(yield from self._gone()))
        doom = replace(doom, costs=self._outlook.costs((yield from threshold(goal))))
        self._said = _word(doom)
        # The breaker would roll back as well; without a breaker, nobody has agreed to a rollback.
        unasked = doom.certain and self._config.ecs.breaker.enable
        yield CertainFailure(doom, unasked)
        question = f"roll back now? (waiting costs about {_minutes(doom.costs)})"
        if (yield from ask(question, unasked=unasked)):
            self.done = True
            yield from self._stop(goal, now)

    def _gone(self) -> Procedure[bool]:
        """Return whether the registry lacks the image. A pull may also fail for an image that
        exists.
        """
        now = yield from look_at(_IMAGES)
        primary = now.primary
        definition = now.definition(primary.task_definition) if primary else None
        held = {one.reference for one in now.registry_images if one.held}
        return bool(now.registry_images and definition and not held.intersection(definition.images))

    def put_right(
        self, before: StackState, sleep: Callable[[float], None] = time.sleep
    ) -> Procedure[Outcome]:
        """Restore the stack's old image, after the stack reported success for a stopped deployment.

        The stack then asks for an image that does not run.
        """
        doom = self._outlook.doom
        cause = doom.cause if doom else None
        outcome = Outcome(
            "rolled-back", cause.sentence if cause else "", cause.next if cause else None
        )
        now = yield from look_at(_LOOK)
        state, primary = now.stack("ecs"), now.primary
        own = state.outputs.get("TaskDefinitionArn", "") if state else ""
        if state is None or primary is None or not own or primary.task_definition == own:
            return outcome
        yield Notice(
            f"the service runs {primary.revision}, and `{state.name}` asks for "
            f"{own.rpartition('/')[2]}: restoring the stack's previous image",
            warning=True,
        )
        kept: dict[str, str | None] = dict.fromkeys(state.parameters)
        parameters = {**kept, "Image": before.parameters.get("Image", "")}
        stack = Stack(state.name, "ecs", "", parameters, ("CAPABILITY_NAMED_IAM",), state.tags)
        with Planning(self._clients, stack, state, bucket=None, sleep=sleep) as planned:
            if not planned.plan.changes:
                return outcome
            operation = planned.begin()
        yield from joining.run(self._clients, operation)
        return outcome

    def _stop(self, goal: Goal, now: Snapshot) -> Procedure[None]:
        """Roll the deployment back: through ECS if there is a deployment to return to, else by
        cancelling the stack operation.
        """
        if goal.before and (yield from self._stop_deployment(goal)):
            return
        if self._operation is not None:
            yield from joining.Undo(self._clients, self._operation)()
            return
        yield Notice("this deployment cannot be rolled back from here; waiting for its end", True)

    def _stop_deployment(self, goal: Goal) -> Procedure[bool]:
        ecs, ecs_config = self._clients.ecs, self._config.ecs
        try:
            listed = service_deployments.read(ecs, ecs_config.cluster_name, ecs_config.service_name)
            running = [one for one in listed if one.status in ("PENDING", "IN_PROGRESS")]
            if not running:
                return False
            ecs.stop_service_deployment(serviceDeploymentArn=running[0].arn, stopType="ROLLBACK")
        except ecs.exceptions.ClientError as error:
            if aws.fault(error) != "refused":
                raise
            if aws.code(error) not in _UNKNOWN:
                yield Notice(f"ECS does not stop the deployment: {aws.message(error)}", True)
            return False
        yield Notice("stopping: ECS rolls the deployment back to the last good one")
        return True


def threshold(goal: Goal) -> Procedure[int]:
    """Return how many failures trip our deployment's breaker, or 0 when ECS does not say."""
    now = yield from look_at(_BREAKER)
    return next((one.threshold for one in now.service_deployments if one.id == goal.ours), 0)


def _runs(goal: Goal, now: Snapshot) -> bool:
    """Return whether our deployment is still under way; ECS may have given it up by now."""
    primary = now.primary
    return primary is not None and primary.id == goal.ours and primary.state != "FAILED"


def _word(doom: Doom) -> str:
    """Return what was said. It changes, and is said again, only when a question becomes a
    certainty.
    """
    return f"{doom.cause.id} {doom.certain}"


def _minutes(time: timedelta) -> str:
    minutes = max(round(time / timedelta(minutes=1)), 1)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
