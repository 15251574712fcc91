"""Look again while ECS agents reconnect, before their instances are called full or gone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from opsctl.procedure import Notice, Procedure, follow
from opsctl.snapshot.snapshot import Look, Snapshot

# An agent ends its session with ECS after 15 to 45 minutes and begins another within seconds:
# https://github.com/aws/amazon-ecs-agent, ecs-agent/acs/session
_PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Waits until the agent of every active instance is connected, or the patience is over."""

    look: Look
    since: datetime
    last: Snapshot

    @property
    def over(self) -> bool:
        return not _silent(self.last) or self.last.at - self.since >= _PATIENCE

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        now.require("instances")
        return replace(self, last=now), ()


def back(now: Snapshot, look: Look) -> Procedure[Snapshot]:
    """Return this snapshot, or a later one of `look` if an active instance's agent is silent."""
    silent = _silent(now)
    if not silent:
        return now
    agents = "agent is" if len(silent) == 1 else "agents are"
    yield Notice(
        f"{', '.join(silent)}: the ECS {agents} disconnected, which usually lasts seconds; "
        "looking again"
    )
    ended = yield from follow(Reconnect(look, now.at, now), subject="")
    return ended.last


def _silent(now: Snapshot) -> list[str]:
    return [one.id for one in now.instances if one.status == "ACTIVE" and not one.connected]
