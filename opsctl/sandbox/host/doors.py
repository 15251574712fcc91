"""Network load balancers made in ministack get an address that answers: their DNS name becomes
`127.0.0.1:PORT`, so that `http://{DNSName}/` reaches the proxy. ARNs say `net/` as on AWS.

The name carries the port because a name of ours cannot be resolved and port 80 cannot be bound.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from opsctl.sandbox.calls import Call, Forward, Operations, Structure
from opsctl.sandbox.host import records
from opsctl.sandbox.host.balancer import Balancer

_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"
Made = tuple[str, dict[str, Any]]


class Doors:
    """Install once, on the event loop that the balancer runs on."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._plain = dict(provisioners._RESOURCE_HANDLERS[_TYPE])
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        self._loop = asyncio.get_running_loop()
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
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        record |= {
            "LoadBalancerArn": named,
            "DNSName": f"127.0.0.1:{listener.getsockname()[1]}",
        }
        for store in (alb._lbs, alb._tags, alb._lb_attrs):
            if arn in store:
                store[named] = store.pop(arn)
        self._schedule(lambda: self._listen(named, listener))
        return named, _as_network(attributes | {k: record[k] for k in ("DNSName",)}, arn=named)

    def _listen(self, arn: str, listener: socket.socket) -> None:
        opening = self._balancer.listen(arn, listener, lambda: records.target_group(arn))
        self._opening = asyncio.ensure_future(opening)

    def _schedule(self, act: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)


def _as_network(attributes: dict[str, Any], *, arn: str = "") -> dict[str, Any]:
    changed = dict(attributes)
    if "LoadBalancerFullName" in changed:
        changed["LoadBalancerFullName"] = changed["LoadBalancerFullName"].replace("app/", "net/", 1)
    if arn:
        changed |= {"LoadBalancerArn": arn, "Arn": arn}
    return changed
