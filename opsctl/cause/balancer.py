"""The ways to a service that somebody took away: its target group, its listener."""

from collections.abc import Iterator

from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History

_REVERT = "to make it anew: opsctl ecs up --revert-drift"
_EXPLAINS = frozenset({"target-unhealthy", "no-progress", "tasks-missing"})


def target_group_gone(history: History) -> Iterator[Cause]:
    calls = [one for one in history.failed_calls.values() if one.code == "TargetGroupNotFound"]
    if calls and history.now.service is not None:
        yield Cause(
            "target-group-gone",
            f"the target group of `{history.now.service.name}` is not there: somebody deleted it, "
            "so the load balancer reaches no task",
            "certain",
            (Evidence(calls[0].operation, "TargetGroupNotFound", calls[0].at),),
            _REVERT,
            explains=_EXPLAINS,
        )


def listener_gone(history: History) -> Iterator[Cause]:
    now = history.now
    state = now.stack("ecs")
    lonely = [one for one in now.target_groups if not one.attached]
    if now.service is None or not lonely or (state is not None and state.in_progress):
        return
    yield Cause(
        "listener-gone",
        f"no listener of the load balancer leads to `{now.service.name}`: somebody deleted it, or "
        "leads it elsewhere",
        "certain",
        (Evidence("elasticloadbalancing DescribeTargetGroups", "LoadBalancerArns: none", now.at),),
        _REVERT,
        explains=_EXPLAINS,
    )


RULES = (target_group_gone, listener_gone)
