"""Change sets that only import: they take AWS's time, can fail, and so can their rollback.

ministack imports in an instant; its events and statuses are AWS's.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

from ministack.services.cloudformation import _stack_events, changesets, stacks

from opsctl_sandbox.ministack.stacks import STACK, Resource

Document = dict[str, Any]
Run = Callable[[Document, Document, bool], Awaitable[None]]
# What may not be imported: the id of an identifier, and why.
_REFUSED: ContextVar[dict[int, str]] = ContextVar("refused")


class Pace(Protocol):
    async def take(self, resource: Resource) -> None: ...

    async def release(self, resource: Resource) -> None: ...


def take_over(pace: Pace) -> None:
    """Patch ministack in this process. Raises AttributeError for another version of ministack."""
    changesets._import_resources_async = _paced(changesets._import_resources_async, pace)
    original = changesets._import_resource

    def take(kind: str, identifier: Document) -> Any:
        if reason := _REFUSED.get({}).get(id(identifier)):
            raise ValueError(reason)
        return original(kind, identifier)

    changesets._import_resource = take


def _paced(original: Run, pace: Pace) -> Run:
    async def run(change_set: Document, stack: Document, is_new: bool) -> None:
        refused: dict[int, str] = {}
        for entry in change_set["_resources_to_import"]:
            try:
                await pace.take(_resource(entry, stack))
            except Exception as error:
                # As on AWS, the error's text becomes the resource's reason.
                refused[id(entry["ResourceIdentifier"])] = str(error)
        _REFUSED.set(refused)
        await original(change_set, stack, is_new)
        if stack["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE":
            await _roll_back(change_set, stack, pace)

    return run


async def _roll_back(change_set: Document, stack: Document, pace: Pace) -> None:
    _stack_events[stack["StackId"]].pop()  # the end, which is not reached yet
    stack["StackStatus"] = "IMPORT_ROLLBACK_IN_PROGRESS"
    status, reason = "IMPORT_ROLLBACK_COMPLETE", ""
    for entry in change_set["_resources_to_import"]:
        try:
            await pace.release(_resource(entry, stack))
        except Exception as error:
            status, reason = "IMPORT_ROLLBACK_FAILED", str(error)
            _event(stack, entry["LogicalResourceId"], entry["ResourceType"], status, reason)
    stack |= {"StackStatus": status, "StackStatusReason": reason}
    _event(stack, stack["StackName"], STACK, status, reason)


def _resource(entry: Document, stack: Document) -> Resource:
    return Resource(entry["ResourceType"], entry["LogicalResourceId"], "", {}, stack["StackName"])


def _event(stack: Document, logical_id: str, kind: str, status: str, reason: str) -> None:
    physical_id = stack["StackId"] if kind == STACK else ""
    stacks._add_event(
        stack["StackId"], stack["StackName"], logical_id, kind, status, reason, physical_id
    )
