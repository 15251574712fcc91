"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# `unknown` is what could not be looked at; it neither stops nor warns.
Level: TypeAlias = Literal["ok", "unknown", "warning", "blocking"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is a command, or the exact lines to write; '' where nothing is to be done."""

    area: str
    level: Level
    text: str
    fix: str = ""
