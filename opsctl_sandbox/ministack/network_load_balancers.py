"""Give network load balancers a DNS name that works on this machine, and `net/` in their ARN and
their listeners'."""

import secrets
from collections.abc import Callable
from typing import Any

from ministack.services import alb

from opsctl_sandbox.ministack.resource_types import Made, Properties, ResourceTypes
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_PROTECTED = "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_LISTENER = "AWS::ElasticLoadBalancingV2::Listener"


class NetworkLoadBalancers:
    def __init__(
        self,
        types: ResourceTypes,
        *,
        listen: Callable[[str], str],
        close: Callable[[str], None],
    ) -> None:
        """`listen` opens the load balancer with an ARN and returns its DNS name."""
        self._listen = listen
        self._close = close
        self._plain = types.plain(_TYPE)
        types.replace(
            _TYPE, {"create": self._create, "update": self._update, "delete": self._delete}
        )
        self._plain_listener = types.plain(_LISTENER)
        types.replace(_LISTENER, {**self._plain_listener, "create": self._create_listener})
        # The id at the end of an ARN has 16 hexadecimal digits.
        assert callable(alb._short_id)
        alb._short_id = lambda: secrets.token_hex(8)
        # CloudWatch's dimension and the stack's output begin with `targetgroup/`.
        assert callable(alb._target_group_full_name_from_arn)
        alb._target_group_full_name_from_arn = lambda arn: arn.rpartition(":")[2]

    def operations(self) -> Operations:
        return {
            ("elasticloadbalancing", "CreateListener"): _create_listener_by_call,
            ("elasticloadbalancing", "CreateLoadBalancer"): self._create_by_call,
            ("elasticloadbalancing", "DeleteLoadBalancer"): self._delete_by_call,
        }

    def _create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        arn, attributes = self._plain["create"](logical_id, properties, stack)
        return self._opened(arn, attributes)

    def _update(self, arn: str, *arguments: Any) -> Made:
        changed, attributes = self._plain["update"](arn, *arguments)
        if changed == arn:
            return arn, _as_network(attributes) if ":loadbalancer/net/" in arn else attributes
        return self._opened(changed, attributes)

    def _delete(self, arn: str, properties: Properties) -> None:
        if _protected(arn):
            raise ValueError(_PROTECTED.format(arn=arn))
        self._plain["delete"](arn, properties)
        self._deleted(arn)

    def _create_listener(self, logical_id: str, properties: Properties, stack: str) -> Made:
        arn, attributes = self._plain_listener["create"](logical_id, properties, stack)
        named = _named_listener(arn)
        return named, {k: named if v == arn else v for k, v in attributes.items()}

    async def _delete_by_call(self, call: Call, ministack: Forward) -> Structure:
        arn = call.parameters["LoadBalancerArn"]
        if _protected(arn):
            raise Refused("OperationNotPermitted", _PROTECTED.format(arn=arn))
        answer = await ministack(call.parameters)
        self._deleted(arn)
        return answer

    def _deleted(self, arn: str) -> None:
        """Its listeners go with it, so its target groups have no load balancer any more.

        Source: DeleteLoadBalancer in the API reference.
        """
        self._close(arn)
        gone = [key for key, one in alb._listeners.items() if one["LoadBalancerArn"] == arn]
        for key in gone:
            del alb._listeners[key]
        for group in alb._tgs.values():
            group["LoadBalancerArns"] = [one for one in group["LoadBalancerArns"] if one != arn]

    async def _create_by_call(self, call: Call, ministack: Forward) -> Structure:
        answer = await ministack(call.parameters)
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
        dns_name = self._listen(named)
        record |= {"LoadBalancerArn": named, "DNSName": dns_name}
        _rename(arn, named, alb._lbs, alb._tags, alb._lb_attrs)
        return named, _as_network(attributes | {"DNSName": dns_name}, arn=named)


async def _create_listener_by_call(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    for made in answer["Listeners"]:
        made["ListenerArn"] = _named_listener(made["ListenerArn"])
    return answer


def _named_listener(arn: str) -> str:
    """Return the ARN as AWS writes it, under which the listener and its rules are kept from now."""
    record = alb._listeners[arn]
    if ":loadbalancer/net/" not in record["LoadBalancerArn"]:
        return arn
    named = arn.replace(":listener/app/", ":listener/net/")
    record["ListenerArn"] = named
    _rename(arn, named, alb._listeners, alb._listener_attrs, alb._tags)
    for rule in [one for one in alb._rules.values() if one["ListenerArn"] == arn]:
        of_rule = rule["RuleArn"].replace(":listener-rule/app/", ":listener-rule/net/")
        _rename(rule["RuleArn"], of_rule, alb._rules)
        rule |= {"RuleArn": of_rule, "ListenerArn": named}
    return named


def _rename(old: str, new: str, *stores: Any) -> None:
    for store in stores:
        if old in store:
            store[new] = store.pop(old)


def _protected(arn: str) -> bool:
    attributes = alb._lb_attrs.get(arn) or ()
    return any(
        one["Key"] == "deletion_protection.enabled" and str(one["Value"]).lower() == "true"
        for one in attributes
    )


def _as_network(attributes: dict[str, Any], *, arn: str = "") -> dict[str, Any]:
    changed = dict(attributes)
    if "LoadBalancerFullName" in changed:
        changed["LoadBalancerFullName"] = changed["LoadBalancerFullName"].replace("app/", "net/", 1)
    if arn:
        changed |= {"LoadBalancerArn": arn, "Arn": arn}
    return changed
