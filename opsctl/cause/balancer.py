"""Causes: somebody deleted the service, its target group or listener, or deregistered a task."""

from collections.abc import Iterator
from datetime import timedelta

from opsctl.cause import telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.plural import counted
from opsctl.snapshot import targets
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task

_REVERT = f"to make it again: {telling.REVERT}"
# ECS registers a task before it is RUNNING; a clock may be a little wrong.
_REGISTERED = timedelta(seconds=2)
_EXPLAINS = frozenset({"target-unhealthy", "no-progress", "tasks-missing", "no-instance"})


def service_gone(history: History) -> Iterator[Cause]:
    now, state = history.now, history.now.stack("ecs")
    if not now.holds("service", "stacks") or now.service is not None or state is None:
        return
    if state.status.startswith("DELETE"):
        return  # the stack itself deleted it
    # Before the first release the stack has no such output.
    made = state.outputs.get("ServiceArn", "").rpartition("/")[2]
    # An update may replace the service, and then its name changes.
    same = made == now.names.service and state.status.startswith("UPDATE")
    if made and (same or not state.in_progress):
        yield Cause(
            "service-gone",
            f"there is no service `{made}`, although the stack `{state.name}` made "
            "one: somebody deleted it",
            # the update may be replacing the service right now
            "likely" if state.in_progress else "certain",
            (Evidence("ecs DescribeServices", "not found", now.at),),
            _REVERT,
            explains=_EXPLAINS,
        )


def target_group_gone(history: History) -> Iterator[Cause]:
    now = history.now
    refused = [one for one in now.unread if one.code == "TargetGroupNotFound"]
    if refused and now.service is not None:
        yield Cause(
            "target-group-gone",
            f"the target group of `{now.service.name}` is not there: somebody deleted it, so the "
            "load balancer reaches no task",
            "certain",
            (Evidence(refused[0].operation, "TargetGroupNotFound", now.at),),
            _REVERT,
            explains=_EXPLAINS,
        )


def unbalanced(history: History) -> Iterator[Cause]:
    """Yield a Cause when the service is not registered with the target group of its stack."""
    now = history.now
    own = now.settled_output("ecs", "TargetGroupArn")
    if now.service is None or not own or own in now.service.target_groups:
        return
    has = ", ".join(one.rpartition(":")[2] for one in now.service.target_groups)
    yield Cause(
        "service-unbalanced",
        f"the service `{now.service.name}` is not behind its load balancer: somebody "
        + (f"gave it another target group, {has}" if has else "took that from it")
        + ", so no request reaches its tasks",
        "certain",
        (Evidence("ecs DescribeServices", f"loadBalancers: {has or 'none'}", now.at),),
        f"to put it back: {telling.REVERT}",
        explains=_EXPLAINS,
    )


def listener_moved(history: History) -> Iterator[Cause]:
    """Yield a Cause when no listener has the port that the stack asked for."""
    now = history.now
    own = now.settled_output("ecs", "ListenerPort")
    for group in now.target_groups:
        if not own or not group.listener_ports or int(own) in group.listener_ports:
            continue
        has = ", ".join(map(str, group.listener_ports))
        yield Cause(
            "listener-moved",
            f"the load balancer listens on port {has}, and its stack asks for {own}: somebody "
            "changed the listener, so no client reaches a task",
            "certain",
            (Evidence("elasticloadbalancing DescribeListeners", f"port {has}", now.at),),
            f"to set it back: {telling.REVERT}",
        )


def listener_gone(history: History) -> Iterator[Cause]:
    now, state = history.now, history.now.stack("ecs")
    if now.service is None or not targets.unused(now.targets):
        return
    running = state is not None and state.in_progress
    if running and state is not None and not state.status.startswith("UPDATE"):
        return  # the stack itself makes or deletes it
    yield Cause(
        "listener-gone",
        f"no listener of the load balancer forwards to `{now.service.name}`: somebody deleted or "
        "changed it",
        # an update may be replacing it right now
        "likely" if running else "certain",
        (Evidence("elasticloadbalancing DescribeTargetHealth", "Target.NotInUse", now.at),),
        _REVERT,
        explains=_EXPLAINS,
    )


def shut(history: History) -> Iterator[Cause]:
    """Yield a Cause when the security group of the load balancer admits nobody."""
    now = history.now
    own = {id for group in now.target_groups for id in group.security_groups}
    for group in now.security_groups:
        if group.id in own and not group.ingress:
            yield Cause(
                "balancer-shut",
                f"the security group `{group.name}` of the load balancer admits nobody: somebody "
                "revoked its rules",
                "certain",
                (Evidence("ec2 DescribeSecurityGroups", f"{group.id} has no rule", now.at),),
                _REVERT,
            )


def deregistered(history: History) -> Iterator[Cause]:
    """Yield a Cause for tasks that have run for a while and are no targets: ECS registers a task
    only when it starts.
    """
    now = history.now
    if not _quiet(now) or not now.holds("tasks", "targets", "instances"):
        return
    # ECS deregisters the tasks of a draining instance before it stops them.
    instances = {one.arn: one.id for one in now.instances if one.status != "DRAINING"}
    known = {one.id for one in now.targets if one.state != "draining"}
    missing = [
        task
        for task in now.running
        if task.started is not None
        and now.at - task.started > _REGISTERED
        and (ports := _host_ports(task))
        and task.instance in instances
        and not {f"{instances[task.instance]}:{port}" for port in ports} & known
    ]
    if missing:
        count = len(missing)
        names = ", ".join(task.id[:8] for task in missing[:3])
        yield Cause(
            "target-unhealthy",
            f"{counted(count, 'running task')} {'is' if count == 1 else 'are'} not "
            f"registered with the load balancer, so no request comes there: {names}",
            "certain",
            (
                Evidence(
                    "elasticloadbalancing DescribeTargetHealth",
                    f"{counted(len(known), 'target')}, {counted(len(now.running), 'task')} run",
                    now.at,
                ),
            ),
            "ECS registers a task only when it starts: opsctl ecs restart",
            count=count,
        )


def _quiet(now: Snapshot) -> bool:
    """Return whether no deployment is under way, in a service behind a load balancer."""
    service, primary = now.service, now.primary
    if service is None or primary is None or not service.target_groups:
        return False
    return len(service.deployments) == 1 and primary.state in ("COMPLETED", "")


def _host_ports(task: Task) -> list[int]:
    return [port for container in task.containers for port in container.ports]


LEADS_NOWHERE = (target_group_gone, unbalanced, listener_gone)
RULES = (service_gone, *LEADS_NOWHERE, listener_moved, shut, deregistered)
