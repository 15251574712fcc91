"""One CloudFormation create or update, run in simulated time and in parallel, as AWS runs it.

ministack validates, plans and rolls back; the forward half is ours, because its own runs one
resource after another in an instant. Private names of ministack 1.5.33 are used on purpose: it is
pinned exactly, and `install` fails loudly when one is missing.
"""

import asyncio
import copy
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import now_iso
from ministack.services.cloudformation import engine, provisioners, stacks

from opsctl_sandbox.cloudformation.pace import Pace
from opsctl_sandbox.cluster.stacks import CANCELLED

Document = dict[str, Any]
_STACK = "AWS::CloudFormation::Stack"
_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)


@dataclass
class Request:
    """What ministack hands over when it has validated and planned."""

    name: str
    id: str
    stack: Document
    template: Document
    parameters: Document
    disable_rollback: bool
    previous: Document | None = None
    retain_except_on_create: bool = False

    @property
    def verb(self) -> str:
        return "UPDATE" if self.previous is not None else "CREATE"


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
    refused_update: list[Any] | None = None


class StackOperation:
    def __init__(self, request: Request, pace: Pace) -> None:
        self._request = request
        self._pace = pace
        self._definitions: Document = request.template.get("Resources", {})
        self._conditions = engine._evaluate_conditions(request.template, request.parameters)
        self._order: list[str] = engine._topological_sort(self._definitions, self._conditions)
        self._done = {logical_id: asyncio.Event() for logical_id in self._order}
        self._before: Document = (request.previous or {}).get("_resources", {})
        self._progress = Progress(request.stack.get("_resources", {}))

    async def run(self) -> None:
        request, progress = self._request, self._progress
        await self._forward()
        outputs: list[Document] = []
        exports: Document = {}
        if not progress.failed and not progress.cancelled:
            try:
                outputs, exports = stacks._resolve_stack_outputs(
                    request.template.get("Outputs", {}),
                    self._conditions,
                    {k: v for k, v in progress.resources.items() if k in self._definitions},
                    request.parameters,
                    request.template.get("Mappings", {}),
                    request.name,
                    request.id,
                )
            except ValueError as error:
                progress.reason = str(error)
        if progress.failed or progress.cancelled or progress.reason:
            await self._fail()
            return
        await self._clean_up()
        self._finish(outputs, exports)

    async def _forward(self) -> None:
        """Every resource as soon as what it needs is there; the first failure stops the rest."""
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
        for needed in sorted(engine._extract_deps(definition, set(self._order))):
            await self._done[needed].wait()
        kind = definition.get("Type", "")
        try:
            await self._make(name, kind, definition)
        except Exception as error:
            # Whatever refuses a resource is its reason, as on AWS; the operation then rolls back.
            self._failed(name, str(error) or repr(error))
            raise
        self._done[name].set()

    def _failed(self, name: str, reason: str) -> None:
        verb = "UPDATE" if name in self._before else "CREATE"
        physical_id = self._progress.working.pop(name, "")
        self._event(name, f"{verb}_FAILED", reason, physical_id)
        if not reason.startswith("Resource ") or not reason.endswith(" cancelled"):
            self._progress.failed.append(name)

    def _event(self, name: str, status: str, reason: str = "", physical_id: str = "") -> None:
        request = self._request
        kind = self._definitions.get(name, {}).get("Type", _STACK)
        record = self._progress.resources.get(name)
        if record is not None:
            record |= {"ResourceStatus": status, "Timestamp": now_iso()}
            record["ResourceStatusReason"] = reason
        stacks._add_event(request.id, request.name, name, kind, status, reason, physical_id)

    def _stack_event(self, status: str, reason: str = "") -> None:
        request = self._request
        request.stack |= {"StackStatus": status, "StackStatusReason": reason}
        stacks._add_event(
            request.id, request.name, request.name, _STACK, status, reason, request.id
        )

    def _resolved(self, name: str, definition: Document) -> tuple[Document, Document]:
        request = self._request
        properties = engine._resolve_refs(
            copy.deepcopy(definition.get("Properties", {})),
            self._progress.resources,
            request.parameters,
            self._conditions,
            request.template.get("Mappings", {}),
            request.name,
            request.id,
        )
        properties = {k: v for k, v in properties.items() if v is not engine._NO_VALUE}
        before = self._before.get(name) or {}
        resolved: tuple[Document, Document] = engine._resolve_dynamic_references(
            properties, before.get("_dynamic"), reuse_ssm=False, reuse_secrets=False
        )
        return resolved

    def _tagged(self, name: str, kind: str, properties: Document, tags: Any) -> Document:
        request = self._request
        tagged: Document = provisioners._with_stack_tags(
            kind, properties, tags or [], request.name, request.id, name
        )
        return tagged

    async def _make(self, name: str, kind: str, definition: Document) -> None:
        properties, dynamic = self._resolved(name, definition)
        before = self._before.get(name)
        tagged = self._tagged(name, kind, properties, self._request.stack.get("Tags"))
        if before is None:
            self._progress.working[name] = ""
            self._event(name, "CREATE_IN_PROGRESS")
            await self._pace.begin(name, kind)
            made = provisioners._provision_resource(kind, name, tagged, self._request.name)
            physical_id, attributes = await made if isinstance(made, Awaitable) else made
        else:
            old = self._tagged(
                name, kind, before["Properties"], (self._request.previous or {}).get("Tags")
            )
            if old == tagged:
                return
            physical_id, attributes = await self._update(name, kind, before, old, tagged)
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
        verb = "CREATE" if before is None else "UPDATE"
        if before is None:
            self._event(name, f"{verb}_IN_PROGRESS", "Resource creation Initiated", physical_id)
        await self._pace.settle(
            kind,
            physical_id,
            definition,
            created=before is None,
            tell=lambda reason: self._event(name, "UPDATE_IN_PROGRESS", reason, physical_id),
        )
        del self._progress.working[name]
        self._event(name, f"{verb}_COMPLETE", "", physical_id)

    async def _update(
        self, name: str, kind: str, before: Document, old: Document, new: Document
    ) -> tuple[str, Document]:
        physical_id = before["PhysicalResourceId"]
        self._progress.working[name] = physical_id
        deferred: list[Any] = []
        provisioners._DEFERRED_PREDECESSOR_DELETES.set(deferred)
        replacing = kind == "AWS::ECS::TaskDefinition" or provisioners._replacing_change(
            kind, old, new
        )
        reason = _REPLACING if replacing else ""
        self._event(name, "UPDATE_IN_PROGRESS", reason, physical_id)
        await self._pace.begin(name, kind)
        made: tuple[str, Document] = provisioners._update_resource(
            kind, physical_id, old, new, self._request.name, name, before.get("Attributes", {})
        )
        if made[0] != physical_id:
            self._progress.replaced.append((name, kind, physical_id, before["Properties"]))
        return made

    async def _fail(self) -> None:
        request, progress = self._request, self._progress
        reason = self._reason()
        refused = next((n for n in progress.failed if n not in progress.created), None)
        operation = stacks._failed_operation(
            request.previous is not None,
            request.previous,
            [n for n in self._order if n in progress.created],
            self._unreverted(refused),
            refused,
            [entry[0] for entry in progress.replaced],
            progress.cancelled,
            request.template,
            request.parameters,
            request.retain_except_on_create,
            request.stack.get("Tags") or [],
            (request.previous or {}).get("Tags") or [],
        )
        if request.disable_rollback:
            request.stack["_failed_operation"] = operation
            self._stack_event(f"{request.verb}_FAILED", reason)
            return
        await stacks._roll_back_operation(
            request.name, request.id, request.stack, operation, reason_override=reason
        )

    def _unreverted(self, name: str | None) -> list[Any] | None:
        """An existing resource whose own update was refused: there is nothing to send back."""
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
        asked = "" if self._request.previous is not None else "Rollback requested by user."
        return "".join(parts) + asked

    async def _clean_up(self) -> None:
        """After an update: what was replaced and what the template no longer has goes."""
        if self._request.previous is None:
            return
        self._stack_event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        removed = [
            (name, record["ResourceType"], record["PhysicalResourceId"], record["Properties"])
            for name, record in self._before.items()
            if name not in self._order
        ]
        for name, kind, physical_id, properties in [*reversed(self._progress.replaced), *removed]:
            await self._remove(name, kind, physical_id, properties)

    async def _remove(self, name: str, kind: str, physical_id: str, properties: Document) -> None:
        request = self._request
        definition = self._definitions.get(name) or (
            (request.previous or {}).get("_template", {}).get("Resources", {}).get(name, {})
        )
        attribute = "UpdateReplacePolicy" if name in self._order else "DeletionPolicy"
        gone = name not in self._order

        def tell(status: str, reason: str = "") -> None:
            stacks._add_event(request.id, request.name, name, kind, status, reason, physical_id)

        if definition.get(attribute) in provisioners._RETAINING_POLICIES:
            tell("DELETE_SKIPPED")
        else:
            tell("DELETE_IN_PROGRESS")
            try:
                await self._pace.call(
                    provisioners._delete_resource, kind, physical_id, properties, request.name, name
                )
            except Exception as error:
                tell("DELETE_FAILED", str(error))
                gone = False
            else:
                tell("DELETE_COMPLETE")
        if gone:
            self._progress.resources.pop(name, None)

    def _finish(self, outputs: list[Document], exports: Document) -> None:
        from ministack.services.cloudformation import _exports

        request = self._request
        request.stack |= {
            "_resources": self._progress.resources,
            "_template": request.template,
            "_resolved_params": request.parameters,
            "Outputs": outputs,
        }
        _exports.update(exports)
        self._stack_event(f"{request.verb}_COMPLETE")
