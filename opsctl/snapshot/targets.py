"""Read the Network Load Balancer's targets, target groups and listener."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client


@dataclass(frozen=True, slots=True)
class Target:
    """A target. `id` is `INSTANCE:PORT`; `reason` is a code such as Target.FailedHealthChecks."""

    id: str
    state: str
    reason: str = ""
    description: str = ""
    zone: str = ""

    @property
    def instance(self) -> str:
        return self.id.partition(":")[0]

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"

    @property
    def in_words(self) -> str:
        """Return for example `unhealthy (Target.Timeout)`."""
        return f"{self.state} ({self.reason})" if self.reason else self.state


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group. `check_port` is a number or `traffic-port`; `path` is set for HTTP checks
    only. `listener_ports` and `security_groups` are those of its load balancers.
    """

    arn: str
    protocol: str = ""
    check_port: str = ""
    path: str = ""
    codes: str = ""
    interval: int = 0
    healthy_threshold: int = 0
    security_groups: tuple[str, ...] = ()
    listener_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients connect. `host` is the load balancer's DNS name."""

    host: str
    port: int
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def read(elbv2: "ElasticLoadBalancingv2Client", target_group: str) -> tuple[Target, ...]:
    described = elbv2.describe_target_health(TargetGroupArn=target_group)
    return tuple(
        Target(
            id=f"{one['Target']['Id']}:{one['Target'].get('Port', '')}",
            state=one.get("TargetHealth", {}).get("State", ""),
            reason=one.get("TargetHealth", {}).get("Reason", ""),
            description=one.get("TargetHealth", {}).get("Description", ""),
            zone=one["Target"].get("AvailabilityZone", ""),
        )
        for one in described["TargetHealthDescriptions"]
    )


def unused(targets: Sequence[Target]) -> bool:
    """Return whether no listener forwards to the target group.

    When only some targets are unused, the load balancer's zone is not enabled for those.
    """
    return bool(targets) and all(
        (one.state, one.reason) == ("unused", "Target.NotInUse") for one in targets
    )


def protected(elbv2: "ElasticLoadBalancingv2Client", load_balancer: str) -> bool:
    """Return whether deletion protection is on. `load_balancer` is an ARN."""
    described = elbv2.describe_load_balancer_attributes(LoadBalancerArn=load_balancer)
    attributes = {one.get("Key"): one.get("Value") for one in described["Attributes"]}
    return attributes.get("deletion_protection.enabled") == "true"


def groups(elbv2: "ElasticLoadBalancingv2Client", arns: Sequence[str]) -> tuple[TargetGroup, ...]:
    """Return the target groups, with what their load balancers have."""
    if not arns:
        return ()
    described = elbv2.describe_target_groups(TargetGroupArns=list(arns))["TargetGroups"]
    balancers = sorted({one for group in described for one in group.get("LoadBalancerArns", ())})
    admitted: dict[str, tuple[str, ...]] = {}
    ports = {
        arn: [
            one.get("Port", 0) for one in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        ]
        for arn in balancers
    }
    if balancers:
        answer = elbv2.describe_load_balancers(LoadBalancerArns=balancers)["LoadBalancers"]
        admitted = {
            one.get("LoadBalancerArn", ""): tuple(one.get("SecurityGroups", ())) for one in answer
        }
    return tuple(
        TargetGroup(
            arn=group.get("TargetGroupArn", ""),
            protocol=group.get("Protocol", ""),
            check_port=group.get("HealthCheckPort", ""),
            path=group.get("HealthCheckPath", ""),
            codes=group.get("Matcher", {}).get("HttpCode", ""),
            interval=group.get("HealthCheckIntervalSeconds", 0),
            healthy_threshold=group.get("HealthyThresholdCount", 0),
            security_groups=tuple(
                one
                for balancer in group.get("LoadBalancerArns", ())
                for one in admitted.get(balancer, ())
            ),
            listener_ports=tuple(
                port for balancer in group.get("LoadBalancerArns", ()) for port in ports[balancer]
            ),
        )
        for group in described
    )


def listener(elbv2: "ElasticLoadBalancingv2Client", target_group: str) -> Listener | None:
    """Return the first listener of the target group's load balancer, or None."""
    groups = elbv2.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"]
    for arn in (arn for group in groups for arn in group.get("LoadBalancerArns", ())):
        balancers = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        for balancer, first in zip(balancers, listeners, strict=False):
            # An endpoint other than AWS may listen on another port, and appends it to the DNS name.
            host, _, port = balancer.get("DNSName", "").partition(":")
            number = int(port or first.get("Port", 0))
            return Listener(host, number, first.get("Protocol") == "TLS")
    return None
