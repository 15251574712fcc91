"""The ASGI layer in front of ministack: it names each call, applies planned faults, answers our
operations and passes the rest on.

Registry traffic (`/v2/`) streams through unchanged. Nothing is answered without `Access`'s consent.
"""

import asyncio
import logging
import re
from urllib.parse import unquote

from opsctl_sandbox.faults.control import ControlPages
from opsctl_sandbox.faults.on_the_wire import Dropped, Faults
from opsctl_sandbox.ministack import records
from opsctl_sandbox.process.access import Access, without_cors
from opsctl_sandbox.wire import buckets, codec, http, models, rules, validation
from opsctl_sandbox.wire.calls import Call, Forward, Operation, Operations, Refused, Structure
from opsctl_sandbox.wire.http import Answer, Application, Receive, Request, Scope, Send

log = logging.getLogger(__name__)
# A request with this header gets ministack as it is, for the tests of the repairs.
PLAIN = "x-sandbox-plain"
# The SDK for Go of 2023 (ecspresso has it) closes the connection if an answer comes
# before it has finished sending its request; AWS never answers that early.
_GO, _AS_FAR_AS_AWS = "lang/go", 0.002
_UNKNOWN = re.compile(rb"Unknown (\w+ )?(action|operation)", re.IGNORECASE)
_ACCOUNT = re.compile(r"^\d{12}$")


class Front:
    def __init__(
        self,
        ministack: Application,
        operations: Operations,
        *,
        faults: Faults,
        control: ControlPages,
        access: Access,
        account: str,
    ) -> None:
        self._ministack = ministack
        self._operations = operations
        self._faults = faults
        self._control = control
        self._access = access
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._ministack(scope, receive, send)
            return
        try:
            await self._http(scope, receive, without_cors(send))
        except Dropped as dropped:
            if dropped.answer is None:
                http.reset(receive)
            else:
                await http.write_half(send, dropped.answer)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = http.head(scope)
        if refusal := self._access.stranger(head):
            await http.write(send, refusal)
        elif head.path.startswith("/_sandbox/"):
            answer = self._access.page(head)
            if answer is None:
                answer = self._control.answer(await http.read(scope, receive))
            await http.write(send, answer)
        elif head.path.startswith("/v2/"):
            if refusal := self._access.registry(head):
                await http.write(send, refusal)
            else:
                await self._registry(scope, receive, send)
        else:
            await self._call(scope, receive, send)

    async def _registry(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._faults.apply("registry", scope["method"], "registry")
        except Refused as error:
            await http.write(send, codec.refusal("registry", error))
            return
        except Dropped as dropped:
            if dropped.halfway:
                request = await http.read(scope, receive)
                dropped.answer = await http.exchange(self._ministack, scope, request)
            raise
        await self._ministack(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = http.head(scope)
        # A stranger's body is not read, so that it fills no memory.
        strange = http.is_large(head) and not self._access.knows(head)
        request = head if strange else await http.read(scope, receive)
        if _GO in request.headers.get("user-agent", ""):
            await asyncio.sleep(_AS_FAR_AS_AWS)
        named = codec.name(request)
        try:
            self._access.caller(request, named)
        except Refused as error:
            await http.write(send, codec.refusal(named.protocol if named else "query", error))
            return
        if named is None or PLAIN in request.headers:
            await self._ministack(scope, http.replay(request.body, receive), send)
            return
        try:
            await self._faults.apply(named.service, named.operation, codec.dialect(named))
            self._require_owner(named, request)
            buckets.check(named, request)
        except Refused as error:
            await http.write(send, codec.refusal(named.protocol, error))
            return
        except Dropped as dropped:
            raise await self._halfway(dropped, scope, request, named) from None
        if refusal := _invalid(named, request):
            await http.write(send, refusal)
            return
        operation = self._operation(named)
        if operation is not None:
            await http.write(send, await self._answer(operation, scope, request, named))
        else:
            await self._pass(scope, http.replay(request.body, receive), send, named)

    def _require_owner(self, named: codec.Named, request: Request) -> None:
        """Refuse an S3 call whose caller expects another owner of the bucket."""
        expected = request.headers.get("x-amz-expected-bucket-owner")
        if named.service != "s3" or expected is None:
            return
        owner = records.bucket_owner(unquote(request.path).lstrip("/").partition("/")[0])
        if owner not in ("", expected):
            raise Refused("AccessDenied", "Access Denied", status=403)

    def _operation(self, named: codec.Named) -> Operation | None:
        ours = self._operations.get((named.service, named.operation))
        if ours is None and named.protocol == codec.CBOR:
            known = models.operation(named.service, named.operation)
            return _translated if known is not None else None
        return ours

    async def _halfway(
        self, dropped: Dropped, scope: Scope, request: Request, named: codec.Named
    ) -> Dropped:
        """Let the call take effect before its answer is cut: only an existing body can be cut."""
        if not dropped.halfway:
            return dropped
        operation = self._operation(named)
        if operation is None:
            dropped.answer = await http.exchange(self._ministack, scope, request)
        else:
            dropped.answer = await self._answer(operation, scope, request, named)
        return dropped

    async def _answer(
        self, operation: Operation, scope: Scope, request: Request, named: codec.Named
    ) -> Answer:
        model = models.operation(named.service, named.operation)
        assert model is not None, f"botocore does not know {named.service} {named.operation}"

        async def forward(parameters: Structure) -> dict[str, object]:
            inner = codec.for_ministack(named)
            changed = codec.forward(inner, model, request, parameters)
            return codec.result(inner, model, await http.exchange(self._ministack, scope, changed))

        account = named.access_key if _ACCOUNT.match(named.access_key) else self._account
        try:
            parameters = codec.parameters(named, model, request)
            call = Call(named.service, named.operation, parameters, named.region, account)
            return codec.success(named, model, await operation(call, forward))
        except Refused as error:
            return codec.refusal(named.protocol, error)
        except Exception as error:
            log.exception("%s %s", named.service, named.operation)
            broken = Refused("InternalFailure", f"sandbox: {error!r}", status=500)
            return codec.refusal(named.protocol, broken)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, named: codec.Named) -> None:
        """Pass ministack's answer on; an error that AWS clients cannot read is translated."""
        held: list[http.Message] = []

        async def guarded(message: http.Message) -> None:
            if held or message.get("status", 0) >= 400:
                held.append(message)
            else:
                await send(message)

        await self._ministack(scope, receive, guarded)
        if held:
            answer = http.collected(held)
            known = codec.readable(named, answer) and not _lacking(named, answer)
            await http.write(send, answer if known else _unknown(named))


def _invalid(named: codec.Named, request: Request) -> Answer | None:
    """Return the refusal of parameters that the service forbids."""
    model = models.operation(named.service, named.operation)
    if model is None:
        return None
    try:
        validation.check(named, model, request)
        rules.check(named, model, request)
    except Refused as error:
        return codec.refusal(named.protocol, error)
    return None


async def _translated(call: Call, ministack: Forward) -> Structure:
    return await ministack(call.parameters)


def _lacking(named: codec.Named, answer: Answer) -> bool:
    """Return whether ministack says that it does not have the operation."""
    return bool(_UNKNOWN.search(answer.body)) and named.operation.encode() in answer.body


def _unknown(named: codec.Named) -> Answer:
    code = "UnknownOperationException" if named.protocol == "json" else "InvalidAction"
    message = f"the sandbox has no {named.service} {named.operation}"
    return codec.refusal(named.protocol, Refused(code, message))
