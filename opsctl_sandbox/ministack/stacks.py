"""The interface to ministack's CloudFormation, and the place where its stack operations are
replaced.

ministack validates, plans, resolves references and rolls back; `opsctl_sandbox.cloudformation` runs
the forward half of a create or update. This uses private names of ministack 1.5.33, which is pinned
exactly; `take_over` fails loudly when one is missing.
"""

import copy
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ministack.core.responses import get_region, now_iso
from ministack.services.cloudformation import (
    _change_sets,
    _stacks,
    changesets,
    engine,
    handlers,
    provisioners,
    stacks,
)

from opsctl_sandbox.ministack import caches, exports
from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.ministack.resource_types import Made

Document = dict[str, Any]
Resolved = tuple[Document, Document]
STACK = "AWS::CloudFormation::Stack"


@dataclass
class Request:
    """A stack operation that ministack has validated and planned."""

    name: str
    id: str
    stack: Document
    template: Document
    parameters: Document
    disable_rollback: bool
    previous: Document | None = None
    """The stack as it was, for an update."""
    retain_except_on_create: bool = False
    imports: Document = field(default_factory=dict)
    """By logical id, the identifiers of what exists already and is taken over."""
    drift: Document = field(default_factory=dict)
    """Logical ids of what is to be made again (DELETED) or set back (MODIFIED)."""

    @property
    def verb(self) -> str:
        return "UPDATE" if self.previous is not None else "CREATE"

    @property
    def mappings(self) -> Document:
        mappings: Document = self.template.get("Mappings", {})
        return mappings


@dataclass(frozen=True)
class Resource:
    """A resource of a stack. `physical_id` is '' before it is created."""

    type: str
    logical_id: str
    physical_id: str
    properties: Document
    stack: str


class Pace(Protocol):
    """The time that AWS takes around what ministack's rollback does to one resource, and before a
    deletion."""

    async def begin_deletion(self) -> None: ...

    async def remove(self, resource: Resource, act: Callable[[], Any]) -> Any: ...

    async def revert(self, resource: Resource, act: Callable[[], Any]) -> Any: ...


def take_over(run: Callable[[Request], Awaitable[None]], pace: Pace) -> None:
    """Let `run` do creates and updates, for the life of this process.

    Raises AttributeError when ministack has another version than this was written for.
    """
    deploy = _deployer(run, stacks._deploy_stack_async)
    for module in (stacks, handlers, changesets):
        _replace(module, "_deploy_stack_async", deploy)
    delete = _deleter(stacks._delete_stack_async, pace)
    for module in (stacks, handlers):
        _replace(module, "_delete_stack_async", delete)
    _replace(stacks, "run_reentrant", _paced(pace))
    _replace(stacks, "_runs_on_worker_thread", lambda resource_type: True)


def _deployer(
    run: Callable[[Request], Awaitable[None]], original: Callable[..., Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """Return a replacement of ministack's function, called with the same arguments."""
    signature = inspect.signature(original)

    async def deploy(*positional: Any, **named: Any) -> None:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        arguments = bound.arguments
        stack = _stacks[arguments["stack_name"]]
        for key in ("_failed_operation", "_cancel_requested", "_cancel_token"):
            stack.pop(key, None)
        request = Request(
            arguments["stack_name"],
            arguments["stack_id"],
            stack,
            arguments["template"],
            arguments["param_values"],
            arguments["disable_rollback"],
            (arguments["previous_stack"] or {}) if arguments["is_update"] else None,
            arguments["retain_except_on_create"],
            dict(arguments["imports"] or {}),
            stack.pop("_drift", {}),
        )
        await run(request)

    return deploy


def _deleter(
    original: Callable[..., Awaitable[None]], pace: Pace
) -> Callable[..., Awaitable[None]]:
    """A stack is seen being deleted, by its name too, also when nothing is in it."""
    signature = inspect.signature(original)

    async def delete(*positional: Any, **named: Any) -> None:
        stack = _stacks.get(signature.bind(*positional, **named).arguments["stack_name"])
        if stack:
            stack["StackStatus"] = "DELETE_IN_PROGRESS"
            await pace.begin_deletion()
        await original(*positional, **named)

    return delete


def _paced(pace: Pace) -> Callable[..., Awaitable[Any]]:
    """Return a replacement of `run_reentrant`, which ministack calls for each rollback act."""

    async def call(act: Callable[..., Any], *arguments: Any) -> Any:
        if act.__name__ == "_delete_resource":
            kind, physical_id, properties, stack, logical_id = arguments
            if kind in caches.TYPES and _saved_when_deleted(stack, logical_id):
                caches.final_snapshot(kind, physical_id, stack, logical_id)
            resource = Resource(kind, logical_id, physical_id, properties, stack)
            return await pace.remove(resource, lambda: act(*arguments))
        if act.__name__ == "_update_resource":
            kind, physical_id, _, properties, stack, logical_id = arguments[:6]
            resource = Resource(kind, logical_id, physical_id, properties, stack)
            return await pace.revert(resource, lambda: act(*arguments))
        return act(*arguments)

    return call


def _saved_when_deleted(stack: str, logical_id: str) -> bool:
    """Return whether the stack is deleted, no failed creation, and its template asks for that."""
    record = _stacks.get(stack) or {}
    definition = record.get("_template", {}).get("Resources", {}).get(logical_id, {})
    deleted = record.get("StackStatus") == "DELETE_IN_PROGRESS"
    return deleted and definition.get("DeletionPolicy") == "Snapshot"


def _replace(module: Any, name: str, value: Any) -> None:
    getattr(module, name)
    setattr(module, name, value)


def change_set(identifier: str) -> Document:
    """Return ministack's own record of a change set, by its ARN."""
    record: Document = find(_change_sets, identifier)
    return record


def resources(stack: str) -> Document:
    """Return logical id -> record of what the stack has created."""
    made: Document = _stacks[stack].get("_resources", {})
    return made


def keep_drift(change_set: str, stack: str) -> None:
    """Pass the drift in a change set on to the operation that is about to begin."""
    _, record = changesets._find_change_set(change_set, stack)
    if record and record.get("_drift") and record["StackName"] in _stacks:
        _stacks[record["StackName"]]["_drift"] = record["_drift"]


def region() -> str:
    """Return the Region of the call that is being answered."""
    name: str = get_region()
    return name


def conditions(request: Request) -> Document:
    evaluated: Document = engine._evaluate_conditions(request.template, request.parameters)
    return evaluated


def order(resources: Document, conditions: Document) -> list[str]:
    """Return the ids of resources whose condition is true, each after those that it needs."""
    names: list[str] = engine._topological_sort(resources, conditions)
    return names


def needs(definition: Document, names: set[str]) -> list[str]:
    """Return which of these resources a resource refers to or depends on."""
    return sorted(engine._extract_deps(definition, names))


def resolve(
    request: Request,
    conditions: Document,
    resources: Document,
    definition: Document,
    before: Document,
) -> Resolved:
    """Return a resource's properties with every reference filled in, and the dynamic references."""
    properties = engine._resolve_refs(
        copy.deepcopy(definition.get("Properties", {})),
        resources,
        request.parameters,
        conditions,
        request.mappings,
        request.name,
        request.id,
    )
    properties = {
        name: value for name, value in properties.items() if value is not engine._NO_VALUE
    }
    resolved: Resolved = engine._resolve_dynamic_references(
        properties, before.get("_dynamic"), reuse_ssm=False, reuse_secrets=False
    )
    return resolved


def resolve_outputs(
    request: Request, conditions: Document, resources: Document
) -> tuple[list[Document], Document]:
    """Return outputs and exports.

    Raises ValueError for one that cannot be resolved or is in use.
    """
    resolved: tuple[list[Document], Document] = stacks._resolve_stack_outputs(
        request.template.get("Outputs", {}),
        conditions,
        resources,
        request.parameters,
        request.mappings,
        request.name,
        request.id,
    )
    if reason := exports.refusal(request.name, request.id, resolved[1]):
        raise ValueError(reason)
    return resolved


# Types with tags that ministack gives only what the template says.
_TAGGED = {
    f"AWS::{name}": ("Tags", "list")
    for name in (
        *("ECS::CapacityProvider", "ECS::TaskDefinition"),
        *("ElastiCache::CacheCluster", "ElastiCache::ParameterGroup"),
        *("ElastiCache::ReplicationGroup", "ElastiCache::SubnetGroup"),
    )
}
provisioners._STACK_TAG_PROPERTY.update(_TAGGED)


def tagged(request: Request, kind: str, name: str, properties: Document, tags: Any) -> Document:
    """Return the properties with the stack's tags, if the type has tags."""
    result: Document = provisioners._with_stack_tags(
        kind, properties, tags or [], request.name, request.id, name
    )
    return result


async def create(request: Request, kind: str, name: str, properties: Document) -> Made:
    made: Any = provisioners._provision_resource(kind, name, properties, request.name)
    result: Made = await made if isinstance(made, Awaitable) else made
    return result


# The events of an imported resource after its first: status and reason. The last one is
# UPDATE_COMPLETE, because it gets the stack's tags.
IMPORT_STARTED: str = stacks._IMPORT_STARTED
IMPORTED = (
    ("IMPORT_IN_PROGRESS", ""),
    ("IMPORT_COMPLETE", stacks._IMPORT_COMPLETED),
    ("UPDATE_IN_PROGRESS", stacks._IMPORT_TAGS),
)


def take(request: Request, kind: str, name: str) -> Made:
    """Take over a resource that exists. Raises ValueError when it does not any more."""
    identifier = request.imports[name]
    missing = changesets._import_not_found(
        [{"ResourceType": kind, "ResourceIdentifier": identifier}]
    )
    if missing is not None:
        raise ValueError(missing)
    result: Made = provisioners._import_resource(kind, identifier)
    return result


def replaces(kind: str, old: Document, new: Document) -> bool:
    """Return whether the change makes a new physical resource."""
    return bool(provisioners._replacing_change(kind, old, new))


def update(
    request: Request, kind: str, name: str, before: Document, old: Document, new: Document
) -> Made:
    """Update a resource.

    Another physical id means that it was replaced; the old resource still exists.
    """
    provisioners._DEFERRED_PREDECESSOR_DELETES.set([])
    made: Made = provisioners._update_resource(
        kind,
        before["PhysicalResourceId"],
        old,
        new,
        request.name,
        name,
        before.get("Attributes", {}),
    )
    return made


def retained(definition: Document, attribute: str) -> bool:
    """Return whether the DeletionPolicy or UpdateReplacePolicy keeps the resource."""
    return definition.get(attribute) in provisioners._RETAINING_POLICIES


def delete(request: Request, kind: str, name: str, physical_id: str, properties: Document) -> None:
    provisioners._delete_resource(kind, physical_id, properties, request.name, name)


def add_event(
    request: Request, name: str, kind: str, status: str, reason: str = "", physical_id: str = ""
) -> None:
    stacks._add_event(request.id, request.name, name, kind, status, reason, physical_id)


def now() -> str:
    """Return the wall time as ministack records it."""
    return str(now_iso())


def failed_operation(
    request: Request,
    *,
    created: list[str],
    refused: str | None,
    refused_update: list[Any] | None,
    replaced: list[str],
    cancelled: bool,
) -> Document:
    """Return what a rollback needs to know of the failed operation."""
    operation: Document = stacks._failed_operation(
        request.previous is not None,
        request.previous,
        created,
        refused_update,
        refused,
        replaced,
        cancelled,
        request.template,
        request.parameters,
        request.retain_except_on_create,
        request.stack.get("Tags") or [],
        (request.previous or {}).get("Tags") or [],
        request.imports,
    )
    return operation


async def roll_back(request: Request, operation: Document, reason: str) -> None:
    await stacks._roll_back_operation(
        request.name, request.id, request.stack, operation, reason_override=reason
    )
