"""The description's way: stop the running tasks in waves and let ECS start new ones.

Since 2024 ECS pins a tag's digest for each deployment, so tasks that are merely stopped come back
with the old image: a new deployment comes first, and the waves hurry it along.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from opsctl.rollout import observe
from opsctl.rollout.follow import RolloutEvent, Watch
from opsctl.rollout.observe import Observation
from opsctl.rollout.outcome import give_up, healthy
from opsctl.rollout.room import Wish

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient


def force(ecs: "ECSClient", cluster: str, service: str) -> None:
    """Begin a new deployment of what the service already is."""
    ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)


def stop(
    ecs: "ECSClient",
    cluster: str,
    service: str,
    watch: Watch,
    wish: Wish,
    *,
    sleep: Callable[[float], None],
    now: Callable[[], float],
    timeout: float,
) -> Iterator[RolloutEvent]:
    """Stop old tasks, never more than the minimum healthy percent allows; last, the outcome."""
    deadline, wave = now() + timeout, 0
    while True:
        yield from watch.look()
        verdict = watch.verdict()
        if verdict is None and now() >= deadline:
            verdict = give_up(watch.last, watch.goal)
        if verdict is not None:
            yield RolloutEvent("outcome", verdict.kind, outcome=verdict)
            return
        victims = _victims(ecs, cluster, service, watch, wish) if watch.ours else []
        if victims:
            wave += 1
            yield RolloutEvent("wave", f"wave {wave}: stopping {len(victims)} old tasks")
            for task in victims:
                ecs.stop_task(
                    cluster=cluster, task=task, reason="opsctl update-tasks --strategy stop"
                )
        sleep(1.0)


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
