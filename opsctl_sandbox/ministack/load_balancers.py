"""What the host reads of ministack's records: how targets are checked, where instances log."""

import base64
import binascii
import re
from typing import Any

from ministack.services import alb

from opsctl_sandbox.cluster.values import Instance
from opsctl_sandbox.host.journal import Place
from opsctl_sandbox.host.prober import Check
from opsctl_sandbox.ministack import records

_COLLECTED = re.compile(r'"log_group_name":\s*"([^"]+)",\s*"log_stream_name":\s*"([^"]+)"')


def health_check(target_group: str, speed: float) -> Check:
    """The target group's check, its clocks in wall time."""
    group = _find(alb._tgs, target_group) or {}
    path = group.get("HealthCheckPath") or "/"
    return Check(
        interval=float(group.get("HealthCheckIntervalSeconds", 30)) / speed,
        # A real process answers in real time, however fast the clock runs.
        timeout=max(1.0, float(group.get("HealthCheckTimeoutSeconds", 10)) / speed),
        path=path if group.get("HealthCheckProtocol") in ("HTTP", "HTTPS") else "",
    )


def target_group(load_balancer: str) -> str | None:
    """Where the first listener of a load balancer forwards to."""
    for listener in list(alb._listeners._data.values()):
        if listener.get("LoadBalancerArn") == load_balancer:
            for action in listener.get("DefaultActions") or ():
                if action.get("TargetGroupArn"):
                    return str(action["TargetGroupArn"])
    return None


def load_balancers() -> dict[str, str]:
    """The full name of the load balancer (`net/NAME/ID`) before each target group's ARN."""
    found = {}
    for listener in list(alb._listeners._data.values()):
        balancer = str(listener.get("LoadBalancerArn", ""))
        group = target_group(balancer)
        if group and ":loadbalancer/net/" in balancer:
            found[group] = balancer.partition(":loadbalancer/")[2]
    return found


def instance_log(instance: Instance, source: str) -> Place | None:
    """The group and stream that the instance's user data sends this source to.

    The agent's stream has the cluster before the instance, the one of ECS has not.
    """
    launch = records.launch(records.group(instance.group) or {})
    for group, stream in _COLLECTED.findall(_decoded(str(launch.get("UserData", "")))):
        if ("/" in stream) == (source == "agent"):
            return group, stream.replace("{instance_id}", instance.id)
    return None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _find(store: Any, key: str) -> Any:
    return next((value for scoped, value in store._data.items() if scoped[-1] == key), None)
