"""The ecs stack as a roll changes it: its tasks, and nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from opsctl.errors import OpsError
from opsctl.procedure import Notice, Procedure
from opsctl.rollout.plan import RollPlan
from opsctl.snapshot.stacks import StackState
from opsctl.stacks.changes import Plan
from opsctl.stacks.definition import Stack
from opsctl.stacks.plan import Planning
from opsctl.stacks.template import read as read_template

if TYPE_CHECKING:
    from opsctl.aws import Clients

# A rollout may change these types and nothing else; everything else needs `ecs up`.
_OURS = {
    "AWS::ECS::TaskDefinition",
    "AWS::ECS::Service",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
}


def changed(
    clients: "Clients",
    state: StackState,
    plan: RollPlan,
    *,
    bucket: str | None,
    sleep: Callable[[float], None],
) -> Procedure[Stack]:
    """Return the ecs stack with the plan's changes. `bucket` is the config's, for a long template.

    If its template would change more than the tasks, only the image changes.
    """
    if not plan.template or "Image" not in plan.parameters:
        return _stack(state, plan, plan.template)
    whole = _stack(state, plan, plan.template)
    with Planning(clients, whole, state, bucket=bucket, sleep=sleep) as planned:
        others = _others(planned.plan)
    if not others:
        return whole
    yield Notice(
        "the environment stays as it is, because opsctl.yaml changes more of the stack "
        f"({', '.join(others)}); to bring all of it there: opsctl ecs up",
        warning=True,
    )
    return _stack(state, plan, "")


def require_only_tasks(plan: Plan) -> None:
    """Raise OpsError for a plan that changes more than the tasks."""
    if others := _others(plan):
        raise OpsError(
            f"this would change more than the tasks: {', '.join(others)}",
            hint="first: opsctl ecs up, then: opsctl update-tasks",
        )


def _stack(state: StackState, plan: RollPlan, template: str) -> Stack:
    """Return the ecs stack with the plan's parameters, and with `template` unless it is ''."""
    known = read_template(template).get("Parameters", {}) if template else state.parameters
    kept: dict[str, str | None] = {key: None for key in known if key in state.parameters}
    return Stack(
        name=state.name,
        kind="ecs",
        template=template,
        parameters={**kept, **plan.parameters},
        capabilities=("CAPABILITY_NAMED_IAM",),
        tags=state.tags,
    )


def _others(plan: Plan) -> list[str]:
    return [one.logical_id for one in plan.changes if one.resource_type not in _OURS]
