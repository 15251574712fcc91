"""A rollback that fails, as on AWS: what could not be deleted or sent back stays in the stack, with
the status that says so, until it is deleted, sent back, skipped or retained.

ministack alone forgets the first kind, and leaves the second as if nothing had happened to it.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services.cloudformation import _stack_events, _stacks, handlers, stacks

Document = dict[str, Any]
Run = Callable[..., Awaitable[None]]


def take_over() -> None:
    """For the life of this process. Raises AttributeError when ministack is another one."""
    rolling_back = _keeping_stuck(stacks._roll_back_operation)
    stacks._roll_back_operation = rolling_back
    handlers._roll_back_operation = rolling_back
    handlers._continue_update_rollback_async = _settling(handlers._continue_update_rollback_async)


def _keeping_stuck(original: Run) -> Run:
    signature = inspect.signature(original)

    async def roll_back(*positional: Any, **named: Any) -> None:
        stack = signature.bind(*positional, **named).arguments["stack"]
        stack.pop("_rollback_failed", None)
        before = dict(stack.get("_resources", {}))
        await original(*positional, **named)
        for logical_id, failed in stack.get("_rollback_failed", {}).items():
            record = stack["_resources"].get(logical_id) or before.get(logical_id)
            if record is not None:
                stack["_resources"][logical_id] = record
                verb = "UPDATE" if "RevertTo" in failed else "DELETE"
                _mark(stack, logical_id, record, f"{verb}_FAILED")

    return roll_back


def _settling(original: Run) -> Run:
    signature = inspect.signature(original)

    async def continue_rollback(*positional: Any, **named: Any) -> None:
        name = signature.bind(*positional, **named).arguments["stack_name"]
        stack = _stacks[name]
        pending = dict(stack.get("_rollback_failed", {}))
        await original(*positional, **named)
        for logical_id, failed in pending.items():
            record = stack["_resources"].get(logical_id)
            if record is None or logical_id in stack.get("_rollback_failed", {}):
                continue
            if "RevertTo" in failed:
                _mark(stack, logical_id, record, "UPDATE_COMPLETE")
            else:
                del stack["_resources"][logical_id]

    return continue_rollback


def _mark(stack: Document, logical_id: str, record: Document, status: str) -> None:
    """As the resource's last event of this status says."""
    for event in reversed(_stack_events.get(stack["StackId"], [])):
        if event["LogicalResourceId"] == logical_id and event["ResourceStatus"] == status:
            record |= {
                "ResourceStatus": status,
                "ResourceStatusReason": event["ResourceStatusReason"],
                "Timestamp": event["Timestamp"],
            }
            return
