"""Look once, and again while seconds may tell what one look cannot."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opsctl.snapshot.snapshot import Snapshot

# Seconds before each further look.
_FOR_LINES = (0.5, 1.5)
_FOR_AGENTS = (1.0, 2.0, 3.0, 4.0)


def until_told(
    look: "Callable[[], Snapshot]", sleep: Callable[[float], None]
) -> "tuple[Snapshot, ...]":
    """Take a snapshot, and more while tasks' last lines, often the cause, have not arrived yet, or
    while an ECS agent may only reconnect. The last one is the newest.
    """
    looks = [look()]
    for pause in _pauses(looks):
        sleep(pause)
        looks.append(look())
    return tuple(looks)


def _pauses(looks: "list[Snapshot]") -> Iterator[float]:
    from opsctl.cause import fleet
    from opsctl.cause.history import History

    for pause in _FOR_LINES:
        if not looks[-1].lines_to_come:
            break
        yield pause
    for pause in _FOR_AGENTS:
        if not fleet.may_reconnect(History.of(looks)):
            break
        yield pause
