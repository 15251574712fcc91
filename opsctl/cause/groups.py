"""Causes for an Auto Scaling group that somebody changed outside of its stack."""

from collections.abc import Iterator

from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.fleet import AFTER_A_LAUNCH
from opsctl.cause.history import History
from opsctl.snapshot.instances import Group


def stopped(group: Group) -> str:
    return f"somebody suspended the processes of `{group.name}`: {group.stands_still}"


def suspended(history: History) -> Iterator[Cause]:
    """Yield a Cause when the group lacks instances because its Launch process is suspended."""
    group = history.now.group
    if group is None or "Launch" not in group.suspended or len(group.members) >= group.desired:
        return
    yield Cause(
        "asg-cannot-launch",
        f"the Auto Scaling group launches no instance: somebody suspended {group.stands_still}",
        "certain",
        (
            Evidence(
                "autoscaling DescribeAutoScalingGroups",
                f"{len(group.members)} of {group.desired} instances, suspended: "
                f"{group.stands_still}",
                history.now.at,
            ),
        ),
        resume(group),
        explains=AFTER_A_LAUNCH,
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


RULES = (suspended,)
