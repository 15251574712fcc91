"""Causes for alarms that ring although nothing else is wrong."""

from collections.abc import Iterator

from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History


def ringing(history: History) -> Iterator[Cause]:
    """Yield a Cause for the alarms that ring. It hinders nothing: an alarm is a symptom."""
    rings = [one for one in history.now.alarms if one.rings]
    if not rings:
        return
    names = ", ".join(f"`{one.name}`" for one in rings[:3])
    more = f" and {len(rings) - 3} more" if len(rings) > 3 else ""
    verb = "rings" if len(rings) == 1 else "ring"
    yield Cause(
        "alarm-rings",
        f"{names}{more} {verb}, and nothing else that can be seen is wrong",
        "certain",
        tuple(
            Evidence("cloudwatch DescribeAlarms", f"{one.name}: {one.reason}", one.since)
            for one in rings[:3]
        ),
        f"opsctl alarms explain {rings[0].name}",
        hinders=False,
    )
