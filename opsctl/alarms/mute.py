"""Mute the alarms that a good roll may set off, while it lasts and until the metrics settle.

A mute rule has one window, which ends by itself even if this command is killed. An alarm that is
still in ALARM then takes its actions. So nothing has to be removed, and no alarm is lost:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules.html
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.alarms import watched
from opsctl.alarms.catalogue import full_names
from opsctl.config.model import Config
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, look_at

if TYPE_CHECKING:
    from opsctl.aws import Clients

# A window outlasts the next renewal by minutes and the roll by ten: metrics come two minutes late,
# and the alarms look at the last five.
_LASTS = timedelta(minutes=15)
_RENEWED = timedelta(minutes=5)
_TRIED_AGAIN = timedelta(minutes=1)
_AHEAD = timedelta(seconds=5)  # a rule's window must begin at a full minute in the future
_MOST = 100  # alarms in one rule


class Mute:
    """Uses two rules in turn, so that the next window begins before the last one ends."""

    def __init__(
        self, clients: "Clients", system: str, names: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self._clients, self._system, self._names, self._now = clients, system, names[:_MOST], now
        self._due: datetime | None = None
        self._turn = 1

    def put(self) -> datetime:
        """Mute from the next full minute. Returns when that ends."""
        now = self._now()
        begin = (now + _AHEAD).replace(second=0, microsecond=0) + timedelta(minutes=1)
        self._clients.cloudwatch.put_alarm_mute_rule(
            Name=f"{self._system}-roll-{self._turn}",
            Description="Set by opsctl: it ends by itself, and the next roll replaces it",
            Rule={
                "Schedule": {
                    "Expression": f"at({begin:%Y-%m-%dT%H:%M})",
                    "Duration": f"PT{int(_LASTS.total_seconds() // 60)}M",
                    "Timezone": "UTC",
                }
            },
            MuteTargets={"AlarmNames": list(self._names)},
        )
        self._due, self._turn = now + _RENEWED, 3 - self._turn
        return begin + _LASTS

    def renew(self) -> None:
        """Called repeatedly during the roll. Ignores AWS errors: the first `put` was allowed."""
        now = self._now()
        if self._due is not None and now >= self._due:
            self._due = now + _TRIED_AGAIN
            aws.tidy(self._clients, self.put)


def begin(
    clients: "Clients",
    config: Config,
    *,
    now: Callable[[], datetime] | None = None,
) -> Procedure[Mute]:
    """Mute the alarms that can be muted.

    If this caller may not, the roll continues all the same.
    """
    seen = yield from look_at(watched.LOOK)
    # A good roll does not set off the alarms that roll a deployment back.
    judges = {*full_names(config, config.alarms.roll_back_on), *config.ecs.breaker.alarms}
    names = [
        one.name
        for one in watched.watched(seen, config)
        if one.alarm.of_roll and one.state is not None and one.state.actions
        if one.name not in judges
    ]
    mute = Mute(clients, config.system, names, now or clients.clock.now)
    if not names:
        return mute
    alarms = counted(len(names), "alarm")
    try:
        with clients.briefly():
            until = mute.put()
    except Exception as error:
        if aws.fault(error) is None:
            raise
        text = f"the roll may set off {alarms}, which could not be muted: {aws.translate(error)}"
        yield Notice(text, warning=True)
        return mute
    yield Notice(
        f"the roll may set off {alarms}: muted until ten minutes after it, "
        f"now until {until:%H:%M} UTC"
    )
    return mute
