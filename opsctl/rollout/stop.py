"""The description's way: stop the running tasks in waves and let ECS start new ones.

Since 2024 ECS pins a tag's digest for each deployment, so tasks that are merely stopped come back
with the old image: a new deployment comes first, and the waves hurry it along.
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
    """Stop as many old tasks as may go now."""
    tasks = chosen(watch, now, need)
    if tasks and now.service is not None:
        yield Wave(tasks)
        for task in tasks:
            ecs.stop_task(cluster=now.service.cluster, task=task, reason=_REASON)


def chosen(watch: Watch, now: Snapshot, need: Requirement) -> tuple[str, ...]:
    """The old tasks that may stop; none before the new deployment began. Pure."""
    if not watch.goal.ours:
        return ()
    old = [task.id for task in now.running if task.deployment != watch.goal.ours]
    return tuple(old[: allowed(now, need)])


def allowed(now: Snapshot, need: Requirement) -> int:
    """How many may stop now: what serves above the minimum, once all replacements serve too."""
    if any(target.state == "initial" for target in now.targets):
        return 0
    running = len(now.running)
    balanced = now.service is not None and bool(now.service.target_groups)
    serving = min(running, now.healthy) if balanced else running
    return max(serving - need.minimum, 0)
