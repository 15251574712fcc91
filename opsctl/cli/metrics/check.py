"""`opsctl metrics --check`: whether a limit is crossed, in one line."""

from typing import TYPE_CHECKING

from opsctl.alarms import limits, watched
from opsctl.cli.screens.status import EXITS, absence, nothing
from opsctl.cli.screens.words import folded
from opsctl.metrics.targets import LOOK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opsctl.cli.options import Invocation


def check(invocation: "Invocation", groups: "Sequence[str]") -> int:
    """Apply the alarms' rules to the newest points, even if the alarms do not exist."""
    health, reason = _health(invocation, groups)
    console = invocation.console
    console.emit("health", health=health, reason=reason)
    if not console.json:
        for line in folded(f"{health}: {reason}"):
            console.data(line)
    return EXITS[health]


def _health(invocation: "Invocation", groups: "Sequence[str]") -> tuple[str, str]:
    snapshot = invocation.reader(LOOK)
    alarms = limits.of_groups(watched.watched(snapshot, invocation.config), groups)
    checked = limits.check(invocation.clients.cloudwatch, alarms, invocation.clients.clock.now())
    if nothing(snapshot) and not any(one.known for one in checked):
        return "unknown", absence(snapshot)
    health, reason = limits.health(checked)
    if health == "healthy" and (unread := snapshot.unread_part("stacks")):
        # Limits of the load balancer and the instances were left out: only the stacks name them.
        return "unknown", f"not readable: stacks: {unread.reason}"
    return health, reason
