"""Strategy `stop`: stop the running tasks in waves and let ECS start new ones.

Since 2024 ECS pins a tag's digest per deployment, so tasks that are only stopped come back with the
old image. So a new deployment comes first, and the waves make it faster.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opsctl.rollout.room import Requirement
from opsctl.rollout.watch import Watch, Wave
from opsctl.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient

_REASON = "opsctl update-tasks --strategy stop"


def wave(ecs: "ECSClient", watch: Watch, now: Snapshot, need: Requirement) -> Iterator[Wave]:
    """Stop as many old tasks as may stop now."""
    tasks = chosen(watch, now, need)
    if tasks and now.service is not None:
        yield Wave(tasks)
        for task in tasks:
            ecs.stop_task(cluster=now.service.cluster, task=task, reason=_REASON)


def chosen(watch: Watch, now: Snapshot, need: Requirement) -> tuple[str, ...]:
    """Return the ids of old tasks that may stop; none before the new deployment began. Pure."""
    if not watch.goal.ours:
        return ()
    old = [task.id for task in now.running if task.deployment != watch.goal.ours]
    return tuple(old[: allowed(now, need)])


def allowed(now: Snapshot, need: Requirement) -> int:
    """Return how many may stop: those that serve above the minimum, once all replacements serve."""
    if any(target.state == "initial" for target in now.targets):
        return 0
    running = len(now.running)
    # The agent has not acknowledged these stops yet, so their targets still look healthy.
    going = sum(task.stopping and task.status == "RUNNING" for task in now.tasks)
    balanced = now.service is not None and bool(now.service.target_groups)
    serving = min(running, now.healthy - going) if balanced else running
    return max(serving - need.minimum, 0)
