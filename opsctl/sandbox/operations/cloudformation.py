"""The seams through which ministack's CloudFormation gets time, failure and our resources."""

from typing import Any

from ministack.services.cloudformation import _stacks, changesets, handlers, provisioners, stacks

from opsctl.sandbox.operations.simulation import Simulation
from opsctl.sandbox.operations.stack_operation import Request, StackOperation
from opsctl.sandbox.operations.stack_pace import Pace
from opsctl.sandbox.operations.stack_resources import Resources

Document = dict[str, Any]


def install(simulation: Simulation) -> None:
    """Point ministack at the simulation, for the life of this process. Raises AttributeError or
    KeyError when ministack is not the one this was written for."""
    pace = Pace(simulation)
    original = stacks._deploy_stack_async

    async def deploy(
        name: str,
        identifier: str,
        template: Document,
        parameters: Document,
        disable_rollback: bool,
        tags: list[Document],
        is_update: bool = False,
        previous_stack: Document | None = None,
        retain_except_on_create: bool = False,
        imports: Document | None = None,
    ) -> None:
        stack = _stacks[name]
        if imports:
            await original(
                name,
                identifier,
                template,
                parameters,
                disable_rollback,
                tags,
                is_update,
                previous_stack,
                retain_except_on_create,
                imports,
            )
            return
        for key in ("_failed_operation", "_cancel_requested", "_cancel_token"):
            stack.pop(key, None)
        request = Request(
            name,
            identifier,
            stack,
            template,
            parameters,
            disable_rollback,
            (previous_stack or {}) if is_update else None,
            retain_except_on_create,
        )
        await StackOperation(request, pace).run()

    for module in (stacks, handlers, changesets):
        _replace(module, "_deploy_stack_async", deploy)
    _replace(stacks, "run_reentrant", pace.call)
    _replace(stacks, "_runs_on_worker_thread", lambda resource_type: True)
    for resource_type, entry in Resources(simulation).handlers().items():
        provisioners._RESOURCE_HANDLERS.setdefault(resource_type, {}).update(entry)


def _replace(module: Any, name: str, value: Any) -> None:
    getattr(module, name)
    setattr(module, name, value)
