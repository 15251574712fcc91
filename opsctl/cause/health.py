"""Causes for running tasks that are not healthy: target health, container health checks."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from opsctl.cause import task_failures, telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.plural import counted
from opsctl.snapshot.service import UNHEALTHY
from opsctl.snapshot.targets import Target

# The load balancer's reason codes, in words that say where to look.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
_CODES: Mapping[str, str] = {
    "Target.Timeout": "health checks are not answered in time",
    "Target.FailedHealthChecks": "health checks fail: the connection is refused or broken off",
    "Target.ResponseCodeMismatch": "health checks are answered with another status than expected",
    "Target.NotRegistered": "tasks are not registered with the load balancer",
    "Target.NotInUse": "the target group belongs to no listener, or its zone is not enabled",
    "Target.InvalidState": "the instance of a target has stopped",
    "Target.IpUnusable": "the address of a target is the load balancer's own",
    "Target.HealthCheckDisabled": "health checks are switched off",
    "Elb.InternalError": "the load balancer failed in its health checks",
}
_NO_SUCH_PATH = re.compile(r"codes: \[4\d\d")
_PORTS = (32768, 60999)
_FRESH = timedelta(minutes=15)


def target_unhealthy(history: History) -> Iterator[Cause]:
    """Yield a Cause for unhealthy targets: seen now, seen earlier, or known only from ECS's
    messages.
    """
    failed = task_failures.of(history, "target-unhealthy")
    unhealthy = _unhealthy(history)
    events = _sentences(history)
    code, words = _reason(history, unhealthy, events)
    blocked = _blocked(history, code)
    next = _next(history, code, words, blocked)
    for failures in failed.values():
        yield telling.cause(
            history,
            "target-unhealthy",
            failures,
            words,
            next=next,
            evidence=[*_targets(history, unhealthy), *events[-1:], *blocked],
        )
    steady = telling.steady(history.now) and not history.ended_badly
    # Tasks stop and targets are deregistered before either reports a reason.
    said = [] if steady else [one for one in events if _is_fresh(one, history)]
    if not failed and (unhealthy or said):
        gone = not any(one.state == "unhealthy" for one in history.now.targets)
        yield Cause(
            "target-unhealthy",
            f"{_count(unhealthy)}: {words}" if unhealthy else words,
            "certain" if not gone else "likely",
            (*_targets(history, unhealthy), *said[-1:], *blocked),
            next,
            over=gone and steady,
            count=len(unhealthy),
            deployment=_newest(history),
            explains=frozenset(
                {"breaker-tripped", "resource-failed", "no-progress", "tasks-missing"}
            ),
        )


def container_unhealthy(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "container-unhealthy").values():
        last = f", and last said: {failures[0].last}" if failures[0].last else ""
        yield telling.cause(
            history,
            "container-unhealthy",
            failures,
            f"the health check of the container fails{last}",
            next="opsctl logs tail stdout --since 15m --no-follow",
        )
    sick = [task for task in history.now.running if task.health == "UNHEALTHY"]
    if sick:
        yield Cause(
            "container-unhealthy",
            f"the health check of the container fails in {counted(len(sick), 'task')}",
            "certain",
            tuple(Evidence(f"task {one.id[:8]}", "healthStatus UNHEALTHY") for one in sick[:3]),
            "opsctl logs tail stdout --since 15m --no-follow",
            count=len(sick),
        )


def check_mismatch(history: History) -> Iterator[Cause]:
    """Yield a Cause when the load balancer checks a port on which no task listens."""
    definitions = history.now.task_definitions
    fixed = {port for one in definitions for port in one.host_ports}
    for group in history.now.target_groups:
        port = group.check_port
        if not port.isdigit() or not fixed or int(port) in fixed:
            continue
        if any(target.healthy for target in history.now.targets):
            continue
        yield Cause(
            "health-check-mismatch",
            f"the load balancer checks port {port}, and the tasks listen on "
            f"{', '.join(map(str, sorted(fixed)))}",
            "certain",
            (Evidence("elbv2 DescribeTargetGroups", f"HealthCheckPort {port}", history.now.at),),
            "set `load_balancer.health_check.port: traffic-port`, then run: opsctl ecs up",
            explains=frozenset({"target-unhealthy", "breaker-tripped", "resource-failed"}),
        )


def _unhealthy(history: History) -> list[tuple[str, Target]]:
    return [(at.isoformat(), target) for at, target in history.unhealthy.values()]


def _is_fresh(event: Evidence, history: History) -> bool:
    """Return whether it was said lately, and not before the command that was recorded began."""
    if event.time is None or (history.began is not None and event.time < history.began):
        return False
    return history.now.at - event.time < _FRESH


def _count(unhealthy: list[tuple[str, Target]]) -> str:
    number = len(unhealthy)
    return f"{counted(number, 'target')} {'is' if number == 1 else 'are'} unhealthy"


def _sentences(history: History) -> list[Evidence]:
    return [
        Evidence("ecs service event", telling.quoted(event.text), event.time)
        for event in history.service_events.values()
        if UNHEALTHY.search(event.text)
    ]


def _reason(
    history: History, unhealthy: list[tuple[str, Target]], events: list[Evidence]
) -> tuple[str, str]:
    """Return (code, words): the most common reason code, and a sentence for it that quotes the load
    balancer.
    """
    codes = Counter(target.reason for _, target in unhealthy if target.reason)
    code = codes.most_common(1)[0][0] if codes else ""
    described = next((one.description for _, one in unhealthy if one.reason == code), "")
    if not described and events and (match := UNHEALTHY.search(events[-1].quote)):
        described = match[1]
        code = code or _by_description(described)
    words = _CODES.get(code) or "health checks of the load balancer fail"
    tail = f" ({', '.join(filter(None, (described, code)))})" if described or code else ""
    path = next((one.path for one in history.now.target_groups if one.path), "")
    if code == "Target.ResponseCodeMismatch" and path:
        words += f" at {path}"
    return code, f"{words}{tail}"


def _by_description(text: str) -> str:
    if re.search(r"time", text, re.IGNORECASE):
        return "Target.Timeout"
    if re.search(r"code|status", text, re.IGNORECASE):
        return "Target.ResponseCodeMismatch"
    return "Target.FailedHealthChecks"


def _targets(history: History, unhealthy: list[tuple[str, Target]]) -> list[Evidence]:
    return [
        Evidence(f"target {one.id}", f"{one.in_words} {one.description}".strip(), at)
        for at, one in list(history.unhealthy.values())[-2:]
    ]


def _blocked(history: History, code: str) -> list[Evidence]:
    """Return evidence that the instances' security group shuts out the load balancer, or []."""
    if code not in ("Target.Timeout", ""):
        return []
    own = history.now.output("ecs", "InstanceSecurityGroup")
    group = next((one for one in history.now.security_groups if one.id == own), None)
    balancers, ports = _balancers(history), _target_ports(history)
    if group is None or not balancers:
        return []
    if all(any(group.admits(source, port) for source in balancers) for port in ports):
        return []
    return [
        Evidence(
            "ec2 DescribeSecurityGroups",
            f"{group.id} of the instances admits {', '.join(group.admitted) or 'nobody'}, "
            f"the load balancer has {', '.join(sorted(balancers))}",
            history.now.at,
        )
    ]


def _balancers(history: History) -> list[str]:
    return sorted({sg for one in history.now.target_groups for sg in one.security_groups})


def _target_ports(history: History) -> list[int]:
    ports = {int(one.id.rpartition(":")[2] or 0) for one in history.now.targets}
    dynamic = not ports or min(ports) >= _PORTS[0]
    return list(_PORTS) if dynamic else sorted(ports)


def _next(history: History, code: str, words: str, blocked: list[Evidence]) -> str:
    if blocked:
        return f"to admit the load balancer again: {telling.REVERT}"
    if code == "Target.ResponseCodeMismatch" and _NO_SUCH_PATH.search(words):
        return (
            "`load_balancer.health_check.path` decides what is asked: opsctl config show --origin"
        )
    if code == "Target.Timeout":
        return "ports and security groups as the stack wants them: opsctl ecs plan"
    return "opsctl logs tail stdout --since 15m --no-follow"


def _newest(history: History) -> int:
    return telling.age(history, history.primaries[-1]) if history.primaries else 0


RULES = (target_unhealthy, container_unhealthy, check_mismatch)
