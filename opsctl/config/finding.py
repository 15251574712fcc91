"""What the checks of a config say."""

from dataclasses import dataclass

from opsctl.config.document import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """A refusal or warning. `cause` is an id of docs/explain.md, or ''."""

    path: Path
    text: str
    refuses: bool = True
    cause: str = ""
