"""Network load balancers made in ministack get a name that answers: an address of loopback of their
own with port 80, so that `http://{DNSName}/` reaches the proxy. ARNs say `net/` as on AWS.

Where port 80 may not be bound, the name is `127.0.0.1:PORT`: most clients take that, too.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.host.balancer import Balancer
from opsctl_sandbox.ministack import load_balancers
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Structure

_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_TRIES = 20
Made = tuple[str, dict[str, Any]]


class Doors:
    """Install once, on the event loop that the balancer runs on."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._plain = dict(provisioners._RESOURCE_HANDLERS[_TYPE])
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        self._loop = asyncio.get_running_loop()
        # CloudWatch's dimension and the stack's output begin with `targetgroup/`.
        alb._target_group_full_name_from_arn = lambda arn: arn.rpartition(":")[2]
        provisioners._RESOURCE_HANDLERS[_TYPE] = {
            **self._plain,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }

    def operations(self) -> Operations:
        return {("elasticloadbalancing", "CreateLoadBalancer"): self._create_by_call}

    def _create(self, logical_id: str, properties: dict[str, Any], stack: str) -> Made:
        arn, attributes = self._plain["create"](logical_id, properties, stack)
        return self._opened(arn, attributes)

    def _update(self, arn: str, *arguments: Any) -> Made:
        changed, attributes = self._plain["update"](arn, *arguments)
        if changed == arn:
            return arn, _as_network(attributes) if ":loadbalancer/net/" in arn else attributes
        return self._opened(changed, attributes)

    def _delete(self, arn: str, properties: dict[str, Any]) -> None:
        self._plain["delete"](arn, properties)
        self._schedule(lambda: self._balancer.forget(arn))

    async def _create_by_call(self, call: Call, forward: Forward) -> Structure:
        answer = await forward(call.parameters)
        for made in answer["LoadBalancers"]:
            if made.get("Type") == "network":
                arn, attributes = self._opened(made["LoadBalancerArn"], {})
                made |= {"LoadBalancerArn": arn, "DNSName": attributes["DNSName"]}
        return answer

    def _opened(self, arn: str, attributes: dict[str, Any]) -> Made:
        record = alb._lbs[arn]
        if record["Type"] != "network":
            return arn, attributes
        named = arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        listener, name = _listener()
        record |= {"LoadBalancerArn": named, "DNSName": name}
        for store in (alb._lbs, alb._tags, alb._lb_attrs):
            if arn in store:
                store[named] = store.pop(arn)
        self._schedule(lambda: self._listen(named, listener))
        return named, _as_network(attributes | {k: record[k] for k in ("DNSName",)}, arn=named)

    def _listen(self, arn: str, listener: socket.socket) -> None:
        opening = self._balancer.listen(arn, listener, lambda: load_balancers.target_group(arn))
        self._opening = asyncio.ensure_future(opening)

    def _schedule(self, act: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)


def _listener() -> tuple[socket.socket, str]:
    """A listening socket and the name that leads to it."""
    for number in range(_TRIES):
        place = (os.getpid() + number) % 0xFFFF
        address = f"127.88.{place >> 8}.{(place & 0xFF) or 1}"
        try:
            return socket.create_server((address, 80), backlog=512), address
        except PermissionError:
            break
        except OSError:  # taken by another sandbox, or no such loopback address on this system
            continue
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


def _as_network(attributes: dict[str, Any], *, arn: str = "") -> dict[str, Any]:
    changed = dict(attributes)
    if "LoadBalancerFullName" in changed:
        changed["LoadBalancerFullName"] = changed["LoadBalancerFullName"].replace("app/", "net/", 1)
    if arn:
        changed |= {"LoadBalancerArn": arn, "Arn": arn}
    return changed
