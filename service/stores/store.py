"""The interface of a store, and its two errors."""

from collections.abc import Mapping
from typing import Any, Protocol

from service.entities.commands import Command, Reply
from service.errors import FilterError


class Store(Protocol):
    async def execute(self, command: Command) -> Reply:
        """Run a command. Raises Conflict, without a change, or Unavailable."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def status(self) -> Mapping[str, Any]: ...


class Remote(Store, Protocol):
    @property
    def whole(self) -> bool:
        """Return whether every part of it can be reached."""
        ...


class Conflict(FilterError):
    """An attribute has another type than the command needs."""

    def __init__(self, name: bytes) -> None:
        super().__init__(409, f"the attribute {name.decode()} is not of the type for this update")


class Unavailable(FilterError):
    """The store cannot be reached. A write may have been executed all the same."""

    def __init__(self, why: str) -> None:
        super().__init__(503, "the store cannot be reached", headers=[(b"retry-after", b"1")])
        self.why = why
