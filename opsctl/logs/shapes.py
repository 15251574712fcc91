"""Group messages by shape, and find which are new, gone or more frequent than before. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from opsctl.logs import message
from opsctl.logs.events import LogEvent

Change = Literal["new", "gone", "louder", "quieter"]
_MASKED = re.compile(
    r"""[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}  # an id of a task, a UUID
    | \b[0-9a-f]{12,}\b                                              # a digest
    | 0x[0-9a-fA-F]+
    | \d+(?:[.:,\-T/]\d+)*Z?                                        # numbers, times, addresses
    """,
    re.VERBOSE,
)
_LONGEST = 160  # characters of a shape; what follows rarely helps to group messages
_EXAMPLE = 2_000  # characters of an example; a message may have a million
_MOST = 10_000  # shapes that are kept apart
_TIMES = 3.0  # this many times as often counts as more frequent
_FEW = 5  # so few lines may be chance


@dataclass(frozen=True, slots=True)
class Shape:
    source: str
    level: str
    text: str


@dataclass(slots=True)
class Shapes:
    """How often each shape came, and one example message of each."""

    counts: dict[Shape, int] = field(default_factory=dict)
    examples: dict[Shape, str] = field(default_factory=dict)

    def take(self, events: Iterable[Sequence[LogEvent]]) -> None:
        for batch in events:
            for event in batch:
                said = message.read(event.message)
                shape = Shape(event.source, said.level, masked(said.text))
                if shape in self.counts:
                    self.counts[shape] += 1
                elif len(self.counts) < _MOST:
                    self.counts[shape] = 1
                    self.examples[shape] = said.text[:_EXAMPLE]


@dataclass(frozen=True, slots=True)
class Changed:
    """A shape whose frequency changed.

    `before` and `after` count lines in spans of equal length.
    """

    change: Change
    shape: Shape
    before: int
    after: int
    example: str


def masked(text: str) -> str:
    """Return the first line with every number and id replaced by `#`."""
    first = text.lstrip().partition("\n")[0]
    return _MASKED.sub("#", first[: 4 * _LONGEST])[:_LONGEST]


def compare(before: Shapes, after: Shapes, *, scale: float = 1.0) -> list[Changed]:
    """Return the changes: new shapes first, worst level first.

    `scale` corrects for a span `before` of another length.
    """
    changes = []
    for shape in {**before.counts, **after.counts}:
        was, is_ = round(before.counts.get(shape, 0) * scale), after.counts.get(shape, 0)
        change = _change(was, is_)
        if change is not None:
            example = after.examples.get(shape) or before.examples[shape]
            changes.append(Changed(change, shape, was, is_, example))
    return sorted(changes, key=_weight)


def _change(was: int, is_: int) -> Change | None:
    if not was:
        return "new" if is_ else None
    if not is_:
        return "gone" if was >= _FEW else None
    if is_ >= _TIMES * was and is_ - was >= _FEW:
        return "louder"
    return "quieter" if was >= _TIMES * is_ and was - is_ >= _FEW else None


_ORDER: Mapping[Change, int] = {"new": 0, "louder": 1, "gone": 2, "quieter": 3}


def _weight(one: Changed) -> tuple[int, int, int, str]:
    level = message.LEVELS.get(one.shape.level, -1)
    return (_ORDER[one.change], -level, -max(one.before, one.after), one.shape.text)
