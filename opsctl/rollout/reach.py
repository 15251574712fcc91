"""One request as a client would send it: through the load balancer, to whatever answers."""

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

_ATTEMPTS = 5
_LONGEST = 4096
# An entity that nobody has: where no token is needed, Redis has to be asked for the answer.
_PATH = "/v1/cids/opsctl/entity_types/opsctl/domains/opsctl/keys/opsctl"


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/"


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when nothing could be asked from this machine, which proves nothing."""

    status: int | None
    text: str

    @property
    def bad(self) -> bool:
        return self.status is not None and self.status >= 500


def address(elbv2: "ElasticLoadBalancingv2Client", service: Mapping[str, Any]) -> Address | None:
    """Where the service's load balancer listens; None without one."""
    groups = [each.get("targetGroupArn") for each in service.get("loadBalancers", ())]
    for group in filter(None, groups):
        found = elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
        for arn in found[0].get("LoadBalancerArns", []):
            balancer = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
            listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
            if listeners:
                first = listeners[0]
                # An endpoint other than AWS may answer on a port of its own.
                host, _, port = balancer["DNSName"].partition(":")
                return Address(host, int(port or first["Port"]), first["Protocol"] == "TLS")
    return None


def reach(address: Address, *, sleep: Callable[[float], None]) -> Answer:
    """Ask a few times; any HTTP answer under 500 shows that a task was reached."""
    answer = Answer(None, "not asked")
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(1.0)
        answer = _ask(address)
        if answer.status is not None and not answer.bad:
            break
    return answer


def _ask(address: Address) -> Answer:
    kind = http.client.HTTPSConnection if address.tls else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=5)
    try:
        connection.request("GET", _PATH, headers={"User-Agent": "opsctl"})
        response = connection.getresponse()
        detail = _detail(response.read(_LONGEST)) if response.status >= 500 else ""
        return Answer(response.status, f"{address} answered {response.status}{detail}")
    except socket.gaierror:
        return Answer(None, f"{address.host} is not known on this machine, so it was not asked")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"{address} could not be asked from here: {error}")
    finally:
        connection.close()


def _detail(body: bytes) -> str:
    """The sentence of a problem document; nothing of any other body."""
    try:
        return f" ({json.loads(body)['detail']})"
    except (ValueError, TypeError, KeyError):
        return ""
