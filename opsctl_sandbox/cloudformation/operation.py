"""Run one CloudFormation create or update in simulated time and in parallel, as AWS does.

ministack validates, plans and rolls back. The forward half is here, because ministack's runs one
resource after another in an instant.
"""

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from opsctl_sandbox.cloudformation import services_say
from opsctl_sandbox.cloudformation.pace import Pace
from opsctl_sandbox.cloudformation.shapes import only_tags_differ
from opsctl_sandbox.cluster.stacks import CANCELLED
from opsctl_sandbox.ministack import caches, exports, parameter_values, resource_schemas, stacks
from opsctl_sandbox.ministack.repairs import change_sets, early_validation, names
from opsctl_sandbox.ministack.stacks import Document, Request, Resource
from opsctl_sandbox.wire import rules

_EXISTS = (
    "Resource handler returned message: \"Resource of type '{kind}' with identifier "
    '\'{{"/properties/{key}":"{value}"}}\' already exists." (HandlerErrorCode: AlreadyExists)'
)
_REFUSED = (
    'Resource handler returned message: "{reason} (Service: {service}, Status Code: 400)" '
    "(HandlerErrorCode: InvalidRequest)"
)
_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)


@dataclass
class Progress:
    """What has happened to the resources so far."""

    resources: Document
    created: list[str] = field(default_factory=list)
    replaced: list[tuple[str, str, str, Document]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    working: dict[str, str] = field(default_factory=dict)
    """Logical id to physical id of what is under way."""
    reason: str = ""
    cancelled: bool = False


def _require_free(kind: str, properties: Document) -> None:
    """Raise ValueError when the named resource exists already, as its handler on AWS does."""
    value = names.named(kind, properties)
    if value and names.exists(kind, value):
        key = names.property_of(kind)
        raise ValueError(_EXISTS.format(kind=kind, key=key, value=value))


def _require_right_properties(logical_id: str, kind: str, properties: Document) -> None:
    """Raise ValueError for what could not be judged early, or was not."""
    if wrong := resource_schemas.violations(kind, properties):
        raise ValueError(resource_schemas.refusal(logical_id, wrong))
    if kind == "AWS::CloudWatch::Alarm" and (reason := rules.alarm(properties)):
        raise ValueError(_REFUSED.format(service="CloudWatch", reason=reason))


def _require_taken(kind: str, tagged: Document) -> None:
    """Raise ValueError for what the service refuses, in its words; roles have the stack's tags."""
    if answer := services_say.refused(kind, tagged):
        raise ValueError(_REFUSED.format(service=answer[0], reason=answer[1]))


class StackOperation:
    """`images` are the machine images of Amazon that exist."""

    def __init__(self, request: Request, pace: Pace, images: Container[str]) -> None:
        self._images = images
        self._request = request
        self._pace = pace
        self._definitions: Document = request.template.get("Resources", {})
        self._conditions = stacks.conditions(request)
        self._order = stacks.order(self._definitions, self._conditions)
        self._done = {logical_id: asyncio.Event() for logical_id in self._order}
        self._before: Document = (request.previous or {}).get("_resources", {})
        self._progress = Progress(request.stack.get("_resources", {}))

    async def run(self) -> None:
        request, progress = self._request, self._progress
        if early_validation.refused(request, self._conditions, self._order):
            return
        absent = parameter_values.refusal(request.template, request.parameters, self._images)
        if absent:
            progress.reason = f"{absent}. {self._by_user()}".rstrip()
            await self._fail()
            return
        await self._forward()
        outputs: list[Document] = []
        published: Document = {}
        if not progress.failed and not progress.cancelled:
            try:
                defined = {
                    name: record
                    for name, record in progress.resources.items()
                    if name in self._definitions
                }
                outputs, published = stacks.resolve_outputs(request, self._conditions, defined)
            except ValueError as error:
                progress.reason = str(error)
        if progress.failed or progress.cancelled or progress.reason:
            await self._fail()
            return
        await self._clean_up()
        self._finish(outputs, published)

    async def _forward(self) -> None:
        """Start every resource once what it needs exists. The first failure stops the rest."""
        pending = {asyncio.create_task(self._resource(name)) for name in self._order}
        while pending:
            finished, pending = await asyncio.wait(
                pending, timeout=0.05, return_when=asyncio.FIRST_EXCEPTION
            )
            if self._request.previous is not None:
                self._progress.cancelled |= self._request.stack.pop("_cancel_requested", False)
            if self._progress.cancelled or any(task.exception() for task in finished):
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
                break
        for name in list(self._progress.working):
            verb = "update" if name in self._before else "creation"
            self._failed(name, CANCELLED.format(verb=verb))

    async def _resource(self, name: str) -> None:
        definition = self._definitions[name]
        for other in stacks.needs(definition, set(self._order)):
            await self._done[other].wait()
        kind = definition.get("Type", "")
        try:
            await self._make(name, kind, definition)
        except Exception as error:
            # As on AWS, the error's text becomes the resource's reason, and the operation rolls
            # back.
            self._failed(name, str(error) or repr(error))
            raise
        self._done[name].set()

    def _failed(self, name: str, reason: str) -> None:
        verb = "UPDATE" if name in self._before else "CREATE"
        verb = "IMPORT" if name in self._request.imports else verb
        physical_id = self._progress.working.pop(name, "")
        self._event(name, f"{verb}_FAILED", reason, physical_id)
        if not reason.startswith("Resource ") or not reason.endswith(" cancelled"):
            self._progress.failed.append(name)

    def _event(self, name: str, status: str, reason: str = "", physical_id: str = "") -> None:
        kind = self._definitions.get(name, {}).get("Type", stacks.STACK)
        record = self._progress.resources.get(name)
        if record is not None:
            record |= {"ResourceStatus": status, "Timestamp": stacks.now()}
            record["ResourceStatusReason"] = reason
        stacks.add_event(self._request, name, kind, status, reason, physical_id)

    def _stack_event(self, status: str, reason: str = "") -> None:
        request = self._request
        request.stack |= {"StackStatus": status, "StackStatusReason": reason}
        stacks.add_event(request, request.name, stacks.STACK, status, reason, request.id)

    async def _make(self, name: str, kind: str, definition: Document) -> None:
        request, drift = self._request, self._request.drift.get(name, "")
        before = self._before.get(name) if drift != "DELETED" else None
        properties, dynamic = stacks.resolve(
            request, self._conditions, self._progress.resources, definition, before or {}
        )
        tagged = stacks.tagged(request, kind, name, properties, request.stack.get("Tags"))
        imported = before is None and name in request.imports
        if imported:
            self._progress.working[name] = ""
            self._event(name, "IMPORT_IN_PROGRESS", stacks.IMPORT_STARTED)
            await self._pace.take(Resource(kind, name, "", tagged, request.name))
            physical_id, attributes = stacks.take(request, kind, name)
        elif before is None:
            self._progress.working[name] = ""
            self._event(name, "CREATE_IN_PROGRESS")
            _require_right_properties(name, kind, properties)
            await self._pace.begin(Resource(kind, name, "", tagged, request.name), "create")
            _require_taken(kind, tagged)
            _require_free(kind, tagged)
            physical_id, attributes = await stacks.create(request, kind, name, tagged)
        else:
            tags = (request.previous or {}).get("Tags")
            old = stacks.tagged(request, kind, name, before["Properties"], tags)
            if drift == "MODIFIED":
                # The live resource differs from the stack's record. Without a record of the live
                # values, every property is sent.
                live = caches.live(before["PhysicalResourceId"]) if kind in caches.TYPES else {}
                old = {**tagged, **live} if live else {}
            elif old == tagged:
                return
            _require_right_properties(name, kind, properties)
            _require_taken(kind, tagged)
            shards = None
            if caches.reshards(kind, definition, old, tagged):
                shards = int(tagged["NumNodeGroups"])
                old = {**old, "NumNodeGroups": tagged["NumNodeGroups"]}
            physical_id, attributes = await self._update(name, kind, before, old, tagged, shards)
        self._progress.working[name] = physical_id
        record = {
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "LogicalResourceId": name,
            "Properties": properties,
            "Attributes": attributes,
        }
        self._progress.resources[name] = record | ({"_dynamic": dynamic} if dynamic else {})
        self._progress.created.append(name)
        verb = "CREATE" if before is None and not imported else "UPDATE"
        if imported:
            for status, reason in stacks.IMPORTED:
                self._event(name, status, reason, physical_id)
        elif before is None or physical_id != before["PhysicalResourceId"]:
            self._event(name, f"{verb}_IN_PROGRESS", "Resource creation Initiated", physical_id)
        await self._pace.settle(kind, physical_id, definition, created=before is None)
        del self._progress.working[name]
        self._event(name, f"{verb}_COMPLETE", "", physical_id)

    async def _update(
        self,
        name: str,
        kind: str,
        before: Document,
        old: Document,
        new: Document,
        shards: int | None,
    ) -> tuple[str, Document]:
        physical_id = before["PhysicalResourceId"]
        self._progress.working[name] = physical_id
        replacing = stacks.replaces(kind, old, new) or change_sets.replaced(kind, old, new)
        if kind == "AWS::ECS::TaskDefinition":
            replacing = not only_tags_differ(old, new)
        reason = _REPLACING if replacing else ""
        self._event(name, "UPDATE_IN_PROGRESS", reason, physical_id)
        resource = Resource(kind, name, physical_id, new, self._request.name)
        await self._pace.begin(resource, "update")
        if names.named(kind, new) != names.named(kind, old):
            _require_free(kind, new)
        if shards is not None:
            await asyncio.to_thread(caches.reshard, physical_id, shards)
        made = stacks.update(self._request, kind, name, before, old, new)
        if made[0] != physical_id:
            self._progress.replaced.append((name, kind, physical_id, before["Properties"]))
        return made

    async def _fail(self) -> None:
        request, progress = self._request, self._progress
        reason = self._reason()
        refused = next((n for n in progress.failed if n not in progress.created), None)
        operation = stacks.failed_operation(
            request,
            created=[n for n in self._order if n in progress.created],
            refused=refused,
            refused_update=self._unreverted(refused),
            replaced=[entry[0] for entry in progress.replaced],
            cancelled=progress.cancelled,
        )
        if request.disable_rollback:
            request.stack["_failed_operation"] = operation
            self._stack_event(f"{request.verb}_FAILED", reason)
            return
        await stacks.roll_back(request, operation, reason)

    def _unreverted(self, name: str | None) -> list[Any] | None:
        """Return an existing resource whose update was refused: rollback need not revert it."""
        if name is None or name not in self._before:
            return None
        before = self._before[name]
        kind = before.get("ResourceType", "")
        return [name, kind, before.get("PhysicalResourceId", name), None, None, None]

    def _reason(self) -> str:
        progress = self._progress
        if progress.cancelled:
            return "User Initiated"
        if not progress.failed:
            return progress.reason
        parts = [
            f"The following resource(s) failed to {verb}: [{', '.join(sorted(names))}]. "
            for verb, names in (
                ("create", [n for n in progress.failed if n not in self._before]),
                ("update", [n for n in progress.failed if n in self._before]),
            )
            if names
        ]
        return "".join(parts) + self._by_user()

    def _by_user(self) -> str:
        creating = self._request.previous is None and not self._request.disable_rollback
        return "Rollback requested by user." if creating else ""

    async def _clean_up(self) -> None:
        """After an update, remove resources that were replaced or are no longer in the template."""
        if self._request.previous is None:
            return
        self._stack_event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        gone = {name: one for name, one in self._before.items() if name not in self._order}
        removed = [
            (name, one["ResourceType"], one["PhysicalResourceId"], one["Properties"])
            for name, one in sorted(gone.items(), key=lambda item: self._depth(item[0], set(gone)))
        ]
        for name, kind, physical_id, properties in [*reversed(self._progress.replaced), *removed]:
            await self._remove(name, kind, physical_id, properties)

    def _depth(self, name: str, among: set[str]) -> int:
        """Return how many of these need the resource, directly or not: it is deleted after them."""
        definitions = self._request.previous["_template"]["Resources"]  # type: ignore[index]  # an update
        users, found = {name}, 0
        while len(users) != found:
            found = len(users)
            users |= {one for one in among if stacks.needs(definitions.get(one, {}), users)}
        return found

    async def _remove(self, name: str, kind: str, physical_id: str, properties: Document) -> None:
        request = self._request
        definition = self._definitions.get(name) or (
            (request.previous or {}).get("_template", {}).get("Resources", {}).get(name, {})
        )
        attribute = "UpdateReplacePolicy" if name in self._order else "DeletionPolicy"
        gone = name not in self._order

        def report(status: str, reason: str = "") -> None:
            stacks.add_event(request, name, kind, status, reason, physical_id)

        if stacks.retained(definition, attribute):
            report("DELETE_SKIPPED")
        else:
            report("DELETE_IN_PROGRESS")
            if kind in caches.TYPES and definition.get(attribute) == "Snapshot":
                caches.final_snapshot(kind, physical_id, request.name, name)
            try:
                await self._pace.remove(
                    Resource(kind, name, physical_id, properties, request.name),
                    lambda: stacks.delete(request, kind, name, physical_id, properties),
                )
            except Exception as error:
                report("DELETE_FAILED", str(error))
                gone = False
            else:
                report("DELETE_COMPLETE")
        if gone:
            self._progress.resources.pop(name, None)

    def _finish(self, outputs: list[Document], published: Document) -> None:
        request = self._request
        request.stack |= {
            "_resources": self._progress.resources,
            "_template": request.template,
            "_resolved_params": request.parameters,
            "Outputs": outputs,
        }
        exports.replace(request.id, published)
        self._stack_event(f"{request.verb}_COMPLETE")
