"""`opsctl metrics --check`: whether a limit is crossed, in one line."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opsctl.alarms import limits, watched
from opsctl.metrics.targets import LOOK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opsctl.cli.options import Invocation

_CODES = {"healthy": 0, "degraded": 10, "unknown": 11}


def check(invocation: "Invocation", groups: "Sequence[str]") -> int:
    """Apply the alarms' rules to the newest points, even if the alarms do not exist."""
    snapshot = invocation.reader(LOOK)
    alarms = limits.of_groups(watched.watched(snapshot, invocation.config), groups)
    checked = limits.check(invocation.clients.cloudwatch, alarms, datetime.now(UTC))
    health, reason = limits.health(checked)
    console = invocation.console
    console.emit("health", health=health, reason=reason)
    if not console.json:
        console.data(f"{health}: {reason}")
    return _CODES[health]
