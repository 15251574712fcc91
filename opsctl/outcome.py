"""How a command ended: one row per outcome, with its error and so its exit code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from opsctl.errors import Detached, OpsError, RolledBack, StackFailed, Superseded, TimedOut

OutcomeKind = Literal[
    "done", "removed", "no-changes", "deployed", "deployed-unhealthy", "failed", "rolled-back",
    "superseded", "timed-out", "cancelled", "detached",
]  # fmt: skip
# outcome -> (the error that ends the command, the words before the reason)
ENDS: Mapping[OutcomeKind, tuple[type[OpsError], str] | None] = {
    "done": None,
    "removed": None,
    "no-changes": None,
    "deployed": None,
    "deployed-unhealthy": (OpsError, "deployed, but unhealthy: "),
    "failed": (StackFailed, ""),
    "rolled-back": (RolledBack, "rolled back: "),
    "superseded": (Superseded, "superseded: "),
    "timed-out": (TimedOut, "still running: "),
    "cancelled": (Detached, ""),
    "detached": (Detached, ""),
}

# Exit codes of the commands that look and change nothing: what is wrong, or cannot be known.
DEGRADED, UNKNOWN = 10, 11


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `reason` is one sentence, without the words of the kind; `hint` the next
    command.

    `cause` is the id of a known cause, as in `OpsError`.
    """

    kind: OutcomeKind
    reason: str = ""
    hint: str | None = None
    cause: str = ""

    @property
    def good(self) -> bool:
        return ENDS[self.kind] is None

    def require(self) -> None:
        """Raise the error of this outcome; a good one raises nothing."""
        end = ENDS[self.kind]
        if end is not None:
            error, words = end
            raise error(f"{words}{self.reason}", hint=self.hint, cause=self.cause)
