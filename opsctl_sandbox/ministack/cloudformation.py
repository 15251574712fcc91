"""The seams through which ministack's CloudFormation gets time, failure and our resources."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services.cloudformation import _stacks, changesets, handlers, provisioners, stacks

from opsctl_sandbox.cloudformation.operation import Request, StackOperation
from opsctl_sandbox.cloudformation.pace import Pace
from opsctl_sandbox.cloudformation.resources import Resources
from opsctl_sandbox.simulation import Simulation

Deploy = Callable[..., Awaitable[None]]


def install(simulation: Simulation) -> None:
    """Point ministack at the simulation, for the life of this process. Raises AttributeError or
    KeyError when ministack is not the one this was written for."""
    pace = Pace(simulation)
    deploy = _deployer(pace, stacks._deploy_stack_async)
    for module in (stacks, handlers, changesets):
        _replace(module, "_deploy_stack_async", deploy)
    _replace(stacks, "run_reentrant", pace.call)
    _replace(stacks, "_runs_on_worker_thread", lambda resource_type: True)
    for resource_type, entry in Resources(simulation).handlers().items():
        provisioners._RESOURCE_HANDLERS.setdefault(resource_type, {}).update(entry)


def _deployer(pace: Pace, original: Deploy) -> Deploy:
    """Ours in the place of ministack's, called with the same arguments."""
    signature = inspect.signature(original)

    async def deploy(*given: Any, **named: Any) -> None:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        asked = bound.arguments
        if asked["imports"]:
            await original(*given, **named)
            return
        stack = _stacks[asked["stack_name"]]
        for key in ("_failed_operation", "_cancel_requested", "_cancel_token"):
            stack.pop(key, None)
        request = Request(
            asked["stack_name"],
            asked["stack_id"],
            stack,
            asked["template"],
            asked["param_values"],
            asked["disable_rollback"],
            (asked["previous_stack"] or {}) if asked["is_update"] else None,
            asked["retain_except_on_create"],
        )
        await StackOperation(request, pace).run()

    return deploy


def _replace(module: Any, name: str, value: Any) -> None:
    getattr(module, name)
    setattr(module, name, value)
