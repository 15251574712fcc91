"""Convert a snapshot to redacted JSON and back, for `--json`, recordings and bundles."""

from functools import cache
from typing import TYPE_CHECKING, Any

from opsctl.snapshot.redact import redacted
from opsctl.snapshot.snapshot import Names, Snapshot

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return plain JSON values; times are ISO 8601."""
    value: dict[str, Any] = redacted(_adapter().dump_python(snapshot, mode="json"))
    return value


def from_json(value: dict[str, Any]) -> Snapshot:
    """Parse what `to_json` returned.

    Ignores unknown fields. Raises ValueError for anything else.
    """
    return _adapter().validate_python(value)


def names(value: dict[str, Any]) -> Names:
    """Parse Names from JSON. Raises ValueError for anything else."""
    from pydantic import TypeAdapter

    return TypeAdapter(Names).validate_python(value)


@cache
def _adapter() -> "TypeAdapter[Snapshot]":
    from pydantic import TypeAdapter

    return TypeAdapter(Snapshot)
