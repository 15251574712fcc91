"""Calls by the sandbox itself (a task's log lines, a stack's resources), without a socket."""

from typing import Any

from opsctl_sandbox.wire import codec, http, models
from opsctl_sandbox.wire.calls import Call, Operations, Structure
from opsctl_sandbox.wire.http import Application, Request


class LocalClient:
    """`operations` answer first, as for outside calls; planned faults do not apply."""

    def __init__(
        self, ministack: Application, operations: Operations, *, account: str, region: str
    ) -> None:
        self._ministack = ministack
        self._operations = operations
        self._account = account
        self._region = region

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer as boto3 would. Raises `Refused`."""
        model = models.operation(service, operation)
        assert model is not None, f"botocore does not know {service} {operation}"
        protocol = str(model.service_model.metadata["protocol"])
        named = codec.for_ministack(
            codec.Named(service, operation, protocol, self._region, self._account)
        )

        async def forward(values: Structure) -> dict[str, Any]:
            scope = f"{self._account}/20260101/{self._region}/{service}/aws4_request"
            headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}", "host": "sandbox"}
            made = codec.forward(named, model, Request("POST", "/", "", headers), values)
            answer = await http.exchange(self._ministack, _scope(), made)
            return codec.result(named, model, answer)

        ours = self._operations.get((service, operation))
        if ours is None:
            return await forward(parameters)
        call = Call(service, operation, parameters, self._region, self._account)
        return dict(await ours(call, forward))


def _scope() -> http.Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
