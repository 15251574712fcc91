"""What a release of one image means for the service as it is now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.rollout import room, verdict
from opsctl.rollout.room import Forecast, Requirement
from opsctl.snapshot.service import Service
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState

Way: TypeAlias = Literal["nothing", "follow", "stack", "deployment"]


class Strategy(StrEnum):
    ROLLING = "rolling"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. `timeout` bounds the whole roll, from its beginning."""

    image: str
    strategy: Strategy = Strategy.ROLLING
    timeout: timedelta = timedelta(minutes=20)
    force: bool = False


@dataclass(frozen=True, slots=True)
class RollPlan:
    """`way` is how the image comes into the service:

    nothing     it runs there, whole and healthy
    follow      it is on its way already
    stack       `parameters` of the ecs stack change, and with them the task definition
    deployment  the stack asks for it already; a new deployment is forced

    `findings` tell what somebody changed by other means. `forecast` is None when no task starts.
    """

    way: Way
    image: str
    need: Requirement
    parameters: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    forecast: Forecast | None = None


def plan(now: Snapshot, state: StackState, order: Order, config: Config) -> RollPlan:
    """Raises OpsError when the service is not there."""
    service = now.service
    if service is None:
        raise OpsError(
            f"there is no service `{config.ecs.service_name}` in `{config.ecs.cluster_name}`",
            hint="opsctl ecs up",
        )
    asked = {"Image": order.image, "DesiredCount": str(config.ecs.desired_count)}
    parameters = {key: value for key, value in asked.items() if state.parameters.get(key) != value}
    findings = tuple(_foreign(now, service, state))
    need = requirement(now, service, config)
    if parameters:
        return RollPlan(
            "stack", order.image, need, parameters, findings, _forecast(now, need, config)
        )
    if order.force or findings:
        return RollPlan("deployment", order.image, need, {}, findings, _forecast(now, need, config))
    steady = verdict.settled(now)
    return RollPlan("nothing" if steady else "follow", order.image, need)


def requirement(now: Snapshot, service: Service, config: Config) -> Requirement:
    """Sized by the task definition that runs; the config's sizes come with `ecs up`."""
    definition = now.definition(service.task_definition)
    ecs = config.ecs
    size = room.TaskSize(ecs.cpu, ecs.memory)
    size = room.task_size(definition) if definition else size
    return Requirement(
        desired=ecs.desired_count,
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


def _foreign(now: Snapshot, service: Service, state: StackState) -> list[str]:
    """What the service runs and its stack does not ask for."""
    found = []
    primary, own = service.primary, state.outputs.get("TaskDefinitionArn", "")
    if primary is not None and own and primary.task_definition != own:
        found.append(
            f"the service runs {primary.revision}, not {own.rpartition('/')[2]} of its stack: "
            "somebody changed it by other means"
        )
    count = int(state.parameters.get("DesiredCount") or 0)
    if service.desired == 0 and count:
        found.append(f"the service is set to 0 tasks by hand; its stack asks for {count}")
    return found
