"""The merged config as rows: key, value, origin. Nothing that may be a secret is shown."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from opsctl.config.duration import format_duration
from opsctl.config.findings import is_secret
from opsctl.config.load import Loaded, dotted, leaves

_MASK = "****"
_REFERENCE = ("ssm:", "secretsmanager:", "env:")


@dataclass(frozen=True, slots=True)
class Row:
    """`value` is a plain JSON value; durations are text as people write them."""

    key: str
    value: Any
    origin: str


def rows(loaded: Loaded) -> list[Row]:
    """Return every leaf in the model's order. A reference is not a secret and stays readable."""
    return [
        Row(key, _masked(path, _plain(value)), str(loaded.origins[key]))
        for path, value in leaves(loaded.config)
        if (key := dotted(path)) in loaded.origins
    ]


def _masked(path: tuple[str | int, ...], value: Any) -> Any:
    readable = not isinstance(value, str) or value.startswith(_REFERENCE)
    return value if readable or not is_secret(path) else _MASK


def _plain(value: object) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
