"""Causes for an Auto Scaling group that somebody changed outside of its stack."""

from collections.abc import Iterator

from opsctl.cause import telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.fleet import AFTER_A_LAUNCH
from opsctl.cause.history import History
from opsctl.config import instances
from opsctl.snapshot.instances import ROLLING, Group

_AFTER_A_SMALLER_GROUP = frozenset(
    {"no-instance", "no-room", "no-progress", "tasks-missing", "instance-lost"}
)
_GROUPS = "autoscaling DescribeAutoScalingGroups"


def stopped(group: Group) -> str:
    return f"somebody suspended the processes of `{group.name}`: {group.stands_still}"


def suspended(history: History) -> Iterator[Cause]:
    """Yield a Cause when the group can launch or terminate nothing. It hinders once the group lacks
    instances.
    """
    group = history.now.group
    if group is None or not group.stands_still:
        return
    short = "Launch" in group.suspended and len(group.members) < group.desired
    yield Cause(
        "asg-cannot-launch",
        f"the Auto Scaling group launches no instance: somebody suspended {group.stands_still}"
        if short
        else f"{stopped(group)}, so no instance is replaced",
        "certain",
        (
            Evidence(
                _GROUPS,
                f"{len(group.members)} of {group.desired} instances, suspended: "
                f"{group.stands_still}",
                history.now.at,
            ),
        ),
        resume(group) if short else f"to let it: {resume(group)}",
        hinders=short,
        explains=AFTER_A_LAUNCH if short else frozenset(),
    )


def resized(history: History) -> Iterator[Cause]:
    """Yield a Cause when the group has another size than its stack asked for. It hinders when tasks
    are missing because the group is smaller.
    """
    now, group = history.now, history.now.group
    if group is None or group.gone or ROLLING in group.tags:
        return
    wanted = now.settled_output("ecs", "ConfiguredInstances")
    desired = group.desired if "(" in wanted else None
    live = instances.sizes(group.minimum, group.maximum, desired)
    if not wanted or live == wanted:
        return
    smaller = desired is not None and desired < int(wanted.split()[0])
    hinders = smaller and not telling.steady(now)
    yield Cause(
        "group-resized",
        f"`{group.name}` has {live}, its stack asks for {wanted}: somebody set that by hand",
        "certain",
        (Evidence(_GROUPS, f"{live}, the stack's {wanted}", now.at),),
        "to set it back: opsctl ecs up --revert-drift",
        hinders=hinders,
        explains=_AFTER_A_SMALLER_GROUP if smaller else frozenset(),
    )


def resume(group: Group) -> str:
    """Return the command that lets the group launch and terminate again.

    It names the processes, because without names it would resume all of them, also those that
    somebody suspended for another reason.
    """
    processes = group.stands_still.replace(",", "")
    return (
        f"aws autoscaling resume-processes --auto-scaling-group-name {group.name} "
        f"--scaling-processes {processes}"
    )


RULES = (suspended, resized)
