"""The description's way: stop the running tasks in waves and let ECS start new ones.

Since 2024 ECS pins a tag's digest for each deployment, so tasks that are merely stopped come back
with the old image: a new deployment comes first, and the waves hurry it along.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opsctl.rollout.follow import RolloutEvent, Watch
from opsctl.rollout.outcome import healthy
from opsctl.rollout.room import Wish
from opsctl.snapshot import service as observe
from opsctl.snapshot.service import Observation

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient


def force(ecs: "ECSClient", cluster: str, service: str, task_definition: str) -> None:
    """Begin a new deployment, whether or not the service has this task definition already."""
    ecs.update_service(
        cluster=cluster,
        service=service,
        taskDefinition=task_definition,
        forceNewDeployment=True,
    )


def wave(
    ecs: "ECSClient", cluster: str, service: str, watch: Watch, wish: Wish
) -> Iterator[RolloutEvent]:
    """Stop as many old tasks as may go now; nothing before the new deployment began."""
    victims = _victims(ecs, cluster, service, watch, wish) if watch.ours else []
    if victims:
        yield RolloutEvent("wave", f"stopping {len(victims)} old tasks")
        for task in victims:
            ecs.stop_task(cluster=cluster, task=task, reason="opsctl update-tasks --strategy stop")


def allowed(now: Observation, running: int, wish: Wish) -> int:
    """How many may stop now: what serves above the minimum, once all replacements serve too."""
    if any(each.state == "initial" for each in now.targets):
        return 0
    serving = min(running, healthy(now)) if now.balanced else running
    return max(serving - wish.minimum, 0)


def _victims(ecs: "ECSClient", cluster: str, service: str, watch: Watch, wish: Wish) -> list[str]:
    found = observe.tasks(ecs, cluster, service, "RUNNING")
    running = [task for task in found if task.status == "RUNNING"]
    old = [task.id for task in running if task.deployment != watch.ours]
    return old[: allowed(watch.last, len(running), wish)]
