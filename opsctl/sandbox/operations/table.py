"""Every operation that is answered from the simulation."""

from collections.abc import Awaitable, Callable

from opsctl.sandbox.calls import Call, Forward, Operation, Operations, Structure
from opsctl.sandbox.operations import autoscaling, ec2, ecs, ecs_services, elbv2
from opsctl.sandbox.operations.simulation import Simulation

Answerer = Callable[[Simulation, Structure], Structure]
Blender = Callable[[Simulation, Call, Forward], Awaitable[Structure]]


def operations(simulation: Simulation) -> Operations:
    """By (signing name, operation)."""
    table: dict[tuple[str, str], Operation] = {}
    for name, answer in (ecs.ANSWERS | ecs_services.ANSWERS).items():
        table["ecs", name] = _from_state(simulation, answer)
    for service, module in (
        ("autoscaling", autoscaling.OPERATIONS),
        ("elasticloadbalancing", elbv2.OPERATIONS),
        ("ec2", ec2.OPERATIONS),
    ):
        for name, blend in module.items():
            table[service, name] = _blended(simulation, blend)
    return table


def _from_state(simulation: Simulation, answer: Answerer) -> Operation:
    async def operation(call: Call, forward: Forward) -> Structure:
        return answer(simulation, call.parameters)

    return operation


def _blended(simulation: Simulation, blend: Blender) -> Operation:
    async def operation(call: Call, forward: Forward) -> Structure:
        return await blend(simulation, call, forward)

    return operation
