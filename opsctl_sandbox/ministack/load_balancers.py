"""Read load balancers and target groups from ministack's records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.services import alb

from opsctl_sandbox.cluster.values import LoadBalancer
from opsctl_sandbox.ministack.records import find


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`interval` and `timeout` are in simulated seconds; with a path it is an HTTP check."""

    interval: float
    timeout: float
    path: str = ""


def load_balancer(entry: Mapping[str, Any]) -> LoadBalancer:
    """Return an entry of a service's `loadBalancers` with its target group's settings.

    Raises KeyError when the target group does not exist.
    """
    arn = entry["targetGroupArn"]
    group = find(alb._tgs, arn)
    if group is None:
        raise KeyError(arn)
    attributes = {one["Key"]: one["Value"] for one in find(alb._tg_attrs, arn) or ()}
    return LoadBalancer(
        target_group=arn,
        container=entry["containerName"],
        container_port=int(entry["containerPort"]),
        interval=float(group.get("HealthCheckIntervalSeconds", 30)),
        timeout=float(group.get("HealthCheckTimeoutSeconds", 10)),
        healthy_threshold=int(group.get("HealthyThresholdCount", 5)),
        unhealthy_threshold=int(group.get("UnhealthyThresholdCount", 2)),
        deregistration_delay=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
    )


def protocol(target_group: str) -> str:
    return str((find(alb._tgs, target_group) or {}).get("Protocol", ""))


def health_check(target_group: str) -> HealthCheck:
    group = find(alb._tgs, target_group) or {}
    path = group.get("HealthCheckPath") or "/"
    return HealthCheck(
        interval=float(group.get("HealthCheckIntervalSeconds", 30)),
        timeout=float(group.get("HealthCheckTimeoutSeconds", 10)),
        path=path if group.get("HealthCheckProtocol") in ("HTTP", "HTTPS") else "",
    )


def has_listener(target_group: str) -> bool:
    """Return whether a load balancer's listener forwards to the target group."""
    return any(target_group in str(listener) for listener in _listeners())


def target_group(load_balancer: str) -> str | None:
    """Return where the first listener of a load balancer forwards to."""
    for listener in _listeners():
        if listener.get("LoadBalancerArn") == load_balancer:
            for action in listener.get("DefaultActions") or ():
                if action.get("TargetGroupArn"):
                    return str(action["TargetGroupArn"])
    return None


def names_by_target_group() -> dict[str, str]:
    """Return target group -> full name (`net/NAME/ID`) of its network load balancer."""
    names = {}
    for listener in _listeners():
        arn = str(listener.get("LoadBalancerArn", ""))
        group = target_group(arn)
        if group and ":loadbalancer/net/" in arn:
            names[group] = arn.partition(":loadbalancer/")[2]
    return names


def listener(arn: str) -> dict[str, Any]:
    """Return a listener's `Port`, `Protocol` and `DefaultActions`."""
    record = find(alb._listeners, arn) or {}
    live = {key: record[key] for key in ("Port", "Protocol") if key in record}
    actions = [
        {key: one[key] for key in ("Type", "TargetGroupArn") if key in one}
        for one in record.get("DefaultActions") or ()
    ]
    return {**live, "DefaultActions": actions}


def _listeners() -> list[dict[str, Any]]:
    """Return a copy, because calls change the store while others read it."""
    return list(alb._listeners._data.values())
