"""All operations that are answered from the simulation."""

from collections.abc import Awaitable, Callable

from opsctl_sandbox.operations import (
    application_autoscaling,
    autoscaling,
    ec2,
    elbv2,
    instance_type_offerings,
    service_quotas,
)
from opsctl_sandbox.operations.ecs import (
    capacity_providers,
    clusters,
    container_instances,
    deployments,
    lists,
    services,
    tags,
    task_definitions,
    tasks,
)
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire import models
from opsctl_sandbox.wire.calls import Call, Forward, Operation, Operations, Refused, Structure

# ministack does not know the simulation's clusters: it may answer only what is not about them.
_MINISTACK = frozenset(
    {"ListAccountSettings", "PutAccountSetting", "PutAccountSettingDefault"}
    | {"DeleteAccountSetting", "DiscoverPollEndpoint"}
)
_ECS = (
    capacity_providers,
    clusters,
    container_instances,
    deployments,
    lists,
    services,
    tags,
    task_definitions,
    tasks,
)
Answerer = Callable[[Simulation, Structure], Structure]
Blender = Callable[[Simulation, Call, Forward], Awaitable[Structure]]


def operations(simulation: Simulation) -> Operations:
    """Return the operations by (signing name, operation)."""
    table: dict[tuple[str, str], Operation] = {}
    for name in models.operations("ecs") - _MINISTACK:
        table["ecs", name] = _unanswered
    for module in _ECS:
        for name, answer in module.ANSWERS.items():
            table["ecs", name] = _from_state(simulation, answer)
    for service, blends in (
        ("application-autoscaling", application_autoscaling.OPERATIONS),
        ("autoscaling", autoscaling.OPERATIONS),
        ("elasticloadbalancing", elbv2.OPERATIONS),
        ("ec2", ec2.OPERATIONS),
        ("ec2", instance_type_offerings.OPERATIONS),
        ("servicequotas", service_quotas.OPERATIONS),
    ):
        for name, blend in blends.items():
            table[service, name] = _blended(simulation, blend)
    return table


async def _unanswered(call: Call, forward: Forward) -> Structure:
    raise Refused("UnknownOperationException", f"the sandbox has no ecs {call.operation}")


def _from_state(simulation: Simulation, answer: Answerer) -> Operation:
    async def operation(call: Call, forward: Forward) -> Structure:
        return answer(simulation, call.parameters)

    return operation


def _blended(simulation: Simulation, blend: Blender) -> Operation:
    async def operation(call: Call, forward: Forward) -> Structure:
        return await blend(simulation, call, forward)

    return operation
