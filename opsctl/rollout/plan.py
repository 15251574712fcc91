"""Plan what a release of one image changes in the present service. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from opsctl.cause import balancer, rollouts, starts
from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.rollout import room, verdict
from opsctl.rollout.room import Forecast, Requirement
from opsctl.snapshot.service import Service
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition

Way: TypeAlias = Literal["nothing", "follow", "stack", "deployment"]


class Strategy(StrEnum):
    ROLLING = "rolling"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for. `timeout` limits the whole roll.

    `template` is the new template of the ecs stack, when the task definition changes with the
    image. `renew` starts new tasks of the same task definition, because a secret changed.
    `early_stop` ends a roll that can only fail. `verb` is the word for it in the question.
    """

    image: str
    strategy: Strategy = Strategy.ROLLING
    timeout: timedelta = timedelta(minutes=20)
    force: bool = False
    template: str = ""
    renew: bool = False
    early_stop: bool = True
    verb: Literal["roll", "restart"] = "roll"


@dataclass(frozen=True, slots=True)
class RollPlan:
    """What a roll will do. `way` is how the image gets into the service:

    nothing     the image runs already, whole and healthy
    follow      its deployment is under way
    stack       `parameters` or the `template` of the ecs stack change, and so the task definition
    deployment  the stack already asks for it; a new deployment is forced

    `anew` forces a deployment after a stack change that starts no task by itself. `tasks` is the
    live service's desired count, which stays. `repairs` name changes made outside of opsctl that
    are reverted; `findings` name those that stay. `forecast` is None when no task starts.
    """

    way: Way
    image: str
    need: Requirement
    parameters: Mapping[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    forecast: Forecast | None = None
    template: str = ""
    anew: bool = False
    tasks: int | None = None


def plan(now: Snapshot, state: StackState, order: Order, config: Config) -> RollPlan:
    """Return the plan.

    Raises OpsError when the service was released before and does not exist now, or has another
    name now.
    """
    service = now.service
    require_service(now, state)
    if service is not None:
        _require_same_name(service, config)
    repairs = _repairs(now, service, state) if service else ()
    count = definition.desired_count(config, state, service)
    parameter = definition.count_parameter(config, state, service)
    if service is not None and _set_to_zero(service, state) and not config.ecs.scaling:
        count = config.ecs.desired_count
        parameter = str(count)
    desired = {"Image": order.image, "DesiredCount": parameter}
    current = state.parameters
    parameters = {key: value for key, value in desired.items() if current.get(key) != value}
    need = requirement(now, config, count)
    findings = (*_findings(count, config), *_deregistered(now))
    template = "" if repairs else order.template
    same = "Image" not in parameters and not template
    if same and service is not None and service.desired == count:
        parameters = {}  # the service has this count already, set by hand
    anew = same and bool(order.force or order.renew or repairs)
    if parameters or template or anew:
        way: Way = "stack" if parameters or template else "deployment"
        forecast, kept = _forecast(now, need, config), _kept(service, config)
        parts = (repairs, findings, forecast)
        return RollPlan(way, order.image, need, parameters, *parts, template, anew, kept)
    steady = verdict.settled(now)
    return RollPlan("nothing" if steady else "follow", order.image, need, findings=findings)


def require_service(now: Snapshot, state: StackState | None) -> None:
    """Raise OpsError when the service was released before and does not exist now."""
    if now.service is None and state is not None and definition.release(state):
        names = {key: state.outputs.get(f"{key}Name", "") for key in ("Service", "Cluster")}
        raise OpsError(
            f"there is no service `{names['Service'] or now.names.service}` in "
            f"`{names['Cluster'] or now.names.cluster}`, although its stack asks for one: "
            "somebody deleted it",
            hint="opsctl ecs up --revert-drift",
            cause="service-gone",
        )


def require_startable(now: Snapshot, plan: RollPlan) -> None:
    """Raise OpsError when no task would start, because somebody deleted a log group, or
    deregistered the task definition that they would start from; or when old tasks would be stopped
    otherwise than the stack asks for. A change of the stack sets that back.
    """
    if plan.way not in ("stack", "deployment"):
        return
    history = History.of([now])
    causes = [one for one in starts.log_group_gone(history) if one.hinders]
    if "Image" not in plan.parameters:
        causes += rollouts.deregistered(history)
    if plan.way == "deployment":
        causes += rollouts.settings_changed(history)
    _refuse(causes)


def require_targets(now: Snapshot) -> None:
    """Raise OpsError when somebody deregistered running tasks: they will not become healthy."""
    _refuse(balancer.deregistered(History.of([now])))


def require_balanced(now: Snapshot) -> Snapshot:
    """Return the snapshot.

    Raises OpsError when the load balancer leads to no task: none would ever count as healthy.
    """
    for rule in balancer.LEADS_NOWHERE:
        _refuse(rule(History.of([now])))
    return now


def _refuse(causes: Iterable[Cause]) -> None:
    """Raise OpsError for the first of these causes."""
    for cause in causes:
        raise OpsError(cause.sentence, hint=cause.next, cause=cause.id)


def _require_same_name(service: Service, config: Config) -> None:
    """Raise OpsError after a rename: the roll would replace the service, and stop every task."""
    named = (config.ecs.cluster_name, config.ecs.service_name)
    if named != (service.cluster, service.name):
        raise OpsError(
            f"opsctl.yaml names the service `{named[1]}` in `{named[0]}`, and it is still "
            f"`{service.name}` in `{service.cluster}`",
            hint="opsctl ecs up",
        )


def _kept(service: Service | None, config: Config) -> int | None:
    """Return the live desired count, or None if it scales by itself."""
    return service.desired if service and not config.ecs.scaling else None


def requirement(now: Snapshot, config: Config, count: int) -> Requirement:
    """Return what the roll needs. Task sizes come from the running task definition; the config's
    sizes take effect with `ecs up`.
    """
    ecs = config.ecs
    definition = now.definition(now.service.task_definition) if now.service else None
    size = room.task_size(definition) if definition else room.TaskSize(ecs.cpu, ecs.memory)
    return Requirement(
        desired=count,
        minimum_percent=ecs.minimum_healthy_percent,
        maximum_percent=ecs.maximum_percent,
        task=size,
        old_task=size,
    )


def _forecast(now: Snapshot, need: Requirement, config: Config) -> Forecast:
    compute = config.compute
    return room.forecast(
        room.instances(now), need, desired=compute.desired, maximum=compute.maximum
    )


def _repairs(now: Snapshot, service: Service, state: StackState) -> tuple[str, ...]:
    """Return what the service has that its stack does not ask for; the roll reverts it."""
    repairs = []
    primary, own = service.primary, state.outputs.get("TaskDefinitionArn", "")
    if primary is not None and own and primary.task_definition != own:
        repairs.append(
            f"the service runs {primary.revision}, not {own.rpartition('/')[2]} of its stack: "
            "somebody changed it outside of the stack"
        )
    if _set_to_zero(service, state):
        repairs.append(f"the service is set to 0 tasks by hand; its stack asks for {state.tasks}")
    return tuple(repairs)


def _deregistered(now: Snapshot) -> tuple[str, ...]:
    causes = rollouts.deregistered(History.of([now]))
    return tuple(f"{cause.sentence}; {cause.next}" for cause in causes)


def _set_to_zero(service: Service, state: StackState) -> bool:
    return service.desired == 0 and bool(state.tasks)


def _findings(count: int, config: Config) -> tuple[str, ...]:
    configured = config.ecs.desired_count
    if count == configured or config.ecs.scaling:
        return ()
    return (f"{configured} tasks are configured; {count} were set by hand and stay",)
