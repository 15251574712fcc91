"""The ASGI layer in front of ministack: it names each call, answers what is ours, passes the rest.

Registry traffic (`/v2/`) and everything else that is no AWS call streams through untouched.
"""

import json
import logging
import re

from opsctl.sandbox.calls import Call, Operations, Refused, Structure
from opsctl.sandbox.wire import codec, http, models
from opsctl.sandbox.wire.http import Answer, Application, Receive, Request, Scope, Send

log = logging.getLogger(__name__)
# A request with this header gets ministack as it is: the tests of the repairs compare.
PLAIN = "x-sandbox-plain"
_ACCOUNT = re.compile(r"^\d{12}$")


class Front:
    def __init__(self, ministack: Application, operations: Operations, *, account: str) -> None:
        self._ministack = ministack
        self._operations = operations
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/v2/", "/_ministack/")):
            await self._ministack(scope, receive, send)
            return
        if scope["path"] == "/_sandbox/health":
            body = json.dumps({"status": "ok"}).encode()
            await http.write(send, Answer(200, {"content-type": "application/json"}, body))
            return
        request = await http.read(scope, receive)
        named = None if PLAIN in request.headers else codec.name(request)
        operation = self._operations.get((named.service, named.operation)) if named else None
        if named is None or operation is None:
            await self._ministack(scope, http.replay(request.body, receive), send)
            return
        await http.write(send, await self._answer(scope, request, named))

    async def _answer(self, scope: Scope, request: Request, named: codec.Named) -> Answer:
        model = models.operation(named.service, named.operation)
        assert model is not None, f"botocore does not know {named.service} {named.operation}"

        async def forward(parameters: Structure) -> dict[str, object]:
            changed = codec.forward(named, model, request, parameters)
            return codec.result(named, model, await http.exchange(self._ministack, scope, changed))

        account = named.access_key if _ACCOUNT.match(named.access_key) else self._account
        try:
            call = Call(
                service=named.service,
                operation=named.operation,
                parameters=codec.parameters(named, model, request),
                region=named.region,
                account=account,
            )
            result = await self._operations[named.service, named.operation](call, forward)
            return codec.success(named, model, result)
        except Refused as error:
            return codec.refusal(named.protocol, error)
        except Exception as error:
            log.exception("%s %s", named.service, named.operation)
            broken = Refused("InternalFailure", f"sandbox: {error!r}", status=500)
            return codec.refusal(named.protocol, broken)
