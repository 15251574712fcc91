"""One look at the metrics: their points, and the limits of their alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opsctl.alarms import limits, watched
from opsctl.cli import moments
from opsctl.cli.screens.metrics import Shown
from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.fetch import fetch
from opsctl.metrics.series import window
from opsctl.metrics.targets import LOOK, targets
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from opsctl.cli.options import Invocation


@dataclass(frozen=True, slots=True)
class Metrics:
    """What to read: groups of metrics, since when, in periods of so many seconds (None: auto)."""

    invocation: "Invocation"
    groups: Sequence[str]
    since: str
    period: int | None

    def look(self, *, marked: bool = False) -> Shown:
        """Read them now. `marked` reads releases and alarms, too, which are marked on charts."""
        look = LOOK | self._marks() if marked else LOOK
        snapshot = self.invocation.reader(look)
        queries = list(catalogue.queries(self.groups, targets(snapshot, self.invocation.config)))
        now = self.invocation.clients.clock.now()
        over = window(moments.moment(self.since, now=now, zone=UTC), now, self.period)
        series = fetch(self.invocation.clients.cloudwatch, queries, over)
        alarms = watched.watched(snapshot, self.invocation.config)
        return Shown(snapshot, series, now, limits.limits(series, alarms))

    def _marks(self) -> Look:
        start = moments.moment(self.since, now=datetime.now(UTC), zone=UTC)
        return Look(frozenset({"releases", "alarm_changes"}), (), since=start, releases=50)


def period_of(text: str, option: str) -> int:
    """Return the period of these metrics in seconds. Raises ConfigError for anything else."""
    period = moments.duration(text, option).total_seconds()
    if period < 60 or period % 60:
        raise ConfigError(
            f"{option}: not a valid period: `{text}`",
            hint=f"for instance {option} 5m: whole minutes, because AWS's metrics have a point a "
            "minute at the most",
        )
    return int(period)
