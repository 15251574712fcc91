"""The result of one check."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# `unknown` means that it could not be checked; it neither blocks nor warns.
Level: TypeAlias = Literal["ok", "unknown", "warning", "blocking"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `fix` is a command or the exact lines to write, or ''."""

    area: str
    level: Level
    text: str
    fix: str = ""
