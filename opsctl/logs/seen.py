"""Which event ids have been seen, forgotten only below a floor that never falls."""

from collections.abc import Iterator

_BUCKET = 60_000


class Seen:
    """Ids by the minute of their event, so that whole minutes can be forgotten.

    It keeps every id that a later call may return again, so nothing repeats. Never forget by count
    or by age of insertion, only with `forget`.
    """

    def __init__(self) -> None:
        self._minutes: dict[int, set[str]] = {}
        self.floor = 0

    def __len__(self) -> int:
        return sum(map(len, self._minutes.values()))

    def add(self, id: str, timestamp: int) -> bool:
        """Remember an id. Returns False when it was known or is below the floor."""
        if timestamp < self.floor:
            return False
        minute = self._minutes.setdefault(timestamp // _BUCKET, set())
        if id in minute:
            return False
        minute.add(id)
        return True

    def forget(self, floor: int) -> None:
        """Raise the floor and forget what is below. No later call may start below it."""
        if floor <= self.floor:
            return
        self.floor = floor
        for minute in [m for m in self._minutes if (m + 1) * _BUCKET <= floor]:
            del self._minutes[minute]

    def items(self) -> Iterator[tuple[int, set[str]]]:
        """Yield `(minute, ids)` for saving; `restore` loads them."""
        yield from self._minutes.items()

    def restore(self, minute: int, ids: set[str]) -> None:
        self._minutes.setdefault(minute, set()).update(ids)
