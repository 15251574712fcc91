"""Causes: somebody deleted the service, its target group or its listener."""

from collections.abc import Iterator

from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.snapshot import targets

_REVERT = "to make it again: opsctl ecs up --revert-drift"
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


def listener_gone(history: History) -> Iterator[Cause]:
    now, state = history.now, history.now.stack("ecs")
    if now.service is None or not targets.unused(now.targets):
        return
    if state is not None and state.in_progress:
        return
    yield Cause(
        "listener-gone",
        f"no listener of the load balancer forwards to `{now.service.name}`: somebody deleted or "
        "changed it",
        "certain",
        (Evidence("elasticloadbalancing DescribeTargetHealth", "Target.NotInUse", now.at),),
        _REVERT,
        explains=_EXPLAINS,
    )


RULES = (service_gone, target_group_gone, listener_gone)
