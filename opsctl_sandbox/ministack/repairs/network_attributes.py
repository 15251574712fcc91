"""Attributes and health checks of network load balancers; ministack has those of application ones.

Source of the names and defaults (D): the User Guide for Network Load Balancers.
"""

from collections.abc import Awaitable, Callable, Mapping

from opsctl_sandbox.ministack import load_balancers
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Structure

_NETWORK = ("TCP", "TLS", "UDP", "TCP_UDP")
_TARGET_GROUP = {
    "deregistration_delay.connection_termination.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
_LOAD_BALANCER = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
_LISTENER = {"tcp.idle_timeout.seconds": "350"}


def _of_network(
    defaults: Mapping[str, str], applies: Callable[[Structure], bool]
) -> Callable[[Call, Forward], Awaitable[Structure]]:
    async def described(call: Call, ministack: Forward) -> Structure:
        answer = await ministack(call.parameters)
        if not applies(call.parameters):
            return answer
        given = {one["Key"]: one["Value"] for one in answer.get("Attributes", ())}
        known = {key: given.get(key, usual) for key, usual in defaults.items()}
        if known.get("stickiness.type") == "lb_cookie":
            known["stickiness.type"] = "source_ip"
        return {"Attributes": [{"Key": key, "Value": value} for key, value in known.items()]}

    return described


def without_http(group: Structure) -> Structure:
    """Return a target group without what only an HTTP health check has."""
    if group.get("HealthCheckProtocol") in ("HTTP", "HTTPS"):
        return group
    return {k: v for k, v in group.items() if k not in ("HealthCheckPath", "Matcher")}


async def create_target_group(call: Call, ministack: Forward) -> Structure:
    """Check by TCP what does not say otherwise."""
    request = call.parameters
    usual = {"HealthCheckProtocol": "TCP"} if request.get("Protocol") in _NETWORK else {}
    answer = await ministack({**usual, **request})
    return {**answer, "TargetGroups": [without_http(one) for one in answer["TargetGroups"]]}


OPERATIONS: Operations = {
    ("elasticloadbalancing", "CreateTargetGroup"): create_target_group,
    ("elasticloadbalancing", "DescribeListenerAttributes"): _of_network(
        _LISTENER, lambda request: ":listener/net/" in request["ListenerArn"]
    ),
    ("elasticloadbalancing", "DescribeLoadBalancerAttributes"): _of_network(
        _LOAD_BALANCER, lambda request: ":loadbalancer/net/" in request["LoadBalancerArn"]
    ),
    ("elasticloadbalancing", "DescribeTargetGroupAttributes"): _of_network(
        _TARGET_GROUP,
        lambda request: load_balancers.protocol(request["TargetGroupArn"]) in _NETWORK,
    ),
}
