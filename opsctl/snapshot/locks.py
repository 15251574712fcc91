"""Read who is changing a stack: the newest of its locks, which are SSM parameters.

A lock is `/opsctl/SYSTEM/locks/STACK/NUMBER`; it ends when `…/NUMBER/closed` exists. Both are
created once and not deleted while they matter: SSM refuses for 30 seconds to create a deleted name
again, and it overwrites without a condition. So the numbers give the order.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.snapshot import parameters
from opsctl.snapshot.parameters import Parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

_NUMBER = re.compile(r"/(\d+)$")
_SKEW = timedelta(minutes=1)  # the most by which the clocks of two machines may differ


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock.

    `until` is renewed while the holder's command runs. `process` tells this command from all
    others.
    """

    stack: str
    number: int
    token: str = ""
    who: str = ""
    host: str = ""
    process: str = ""
    command: str = ""
    why: str = ""
    since: datetime | None = None
    until: datetime | None = None
    closed: bool = False

    def expired(self, now: datetime) -> bool:
        """Return whether its holder has stopped renewing it."""
        return self.until is None or now > self.until + _SKEW

    def held(self, now: datetime) -> bool:
        return not self.closed and not self.expired(now)

    @property
    def holder(self) -> str:
        """The holder as `ann@laptop`."""
        name = re.split("[:/]", self.who)[-1] or "somebody"
        return f"{name}@{self.host}" if self.host else name

    @property
    def in_words(self) -> str:
        """Return for example: `web-ecs` is locked by ann@laptop since 14:03 UTC: update-tasks (a
        fix)
        """
        since = f" since {self.since:%H:%M} UTC" if self.since else ""
        doing = f": {self.command}" if self.command else ""
        return f"`{self.stack}` is locked by {self.holder}{since}{doing}" + (
            f" ({self.why})" if self.why else ""
        )


def path(system: str, stack: str, number: int | None = None) -> str:
    folder = f"/opsctl/{system}/locks/{stack}"
    return folder if number is None else f"{folder}/{number:06}"


def closing(system: str, stack: str, number: int) -> str:
    return f"{path(system, stack, number)}/closed"


def read(ssm: "SSMClient", system: str, stack: str) -> tuple[Lock, ...]:
    """Return the kept locks of a stack, oldest first. Only the last one counts."""
    kept = parameters.under(ssm, path(system, stack))
    numbers = sorted(int(match[1]) for name in kept if (match := _NUMBER.search(name)))
    return tuple(
        _lock(
            stack,
            number,
            kept[path(system, stack, number)],
            kept.get(closing(system, stack, number)),
        )
        for number in numbers
        if path(system, stack, number) in kept
    )


def _lock(stack: str, number: int, made: Parameter, closed: Parameter | None) -> Lock:
    fields = made.fields
    return Lock(
        stack,
        number,
        **{
            name: str(fields.get(name, ""))
            for name in ("token", "who", "host", "process", "command", "why")
        },
        since=parameters.when(fields["since"]) if "since" in fields else made.modified,
        until=parameters.when(fields["until"]) if "until" in fields else None,
        closed=closed is not None,
    )
