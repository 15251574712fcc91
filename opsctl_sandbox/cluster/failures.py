"""Failures as data: what goes wrong in the simulation, for what, how often, with which text.

A rehearsal is a tuple of these. The engine calls `Failures.take` wherever something can fail.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    # a task that never starts
    "image-missing",
    "pull-denied",
    "wrong-architecture",
    "secret-missing",
    "log-group-missing",
    "port-taken",
    # a task that starts and stops
    "crash-at-start",
    "out-of-memory",
    # a task that runs, and its target
    "targets-timeout",
    "targets-refused",
    "targets-status",
    # instances
    "launch-refused",
    "instance-never-joins",
    "agent-disconnected",
    "start-script-cannot-download",
    "signal-missing",
    "signal-failure",
    # stacks
    "stopped-counts-as-done",
    "resource-fails",
    "update-rollback-fails",
    "delete-fails",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """One planned failure.

    `match` selects by substring: the image, task definition (family:revision) or instance of a
    task, the Auto Scaling group's name or instance id, the logical id or type of a stack's
    resource; '' matches all. `times` limits how often it happens (None: always). `reason` replaces
    AWS's text. `start` and `end` limit it in simulated seconds.
    """

    kind: Kind
    match: str = ""
    times: int | None = None
    start: float = 0.0
    end: float = float("inf")
    exit_code: int = 1
    after: float = 2.0
    log_lines: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Failures:
    """The planned failures of a running simulation, and how often each has happened."""

    planned: list[Failure] = field(default_factory=list)
    _taken: dict[int, int] = field(default_factory=dict)

    def take(self, kinds: tuple[Kind, ...], subject: str, now: float) -> Failure | None:
        """Return the first failure of these kinds that applies to `subject` now, and count it."""
        for index, failure in enumerate(self.planned):
            if failure.kind not in kinds or failure.match not in subject:
                continue
            if not failure.start <= now < failure.end:
                continue
            taken = self._taken.get(index, 0)
            if failure.times is not None and taken >= failure.times:
                continue
            self._taken[index] = taken + 1
            return failure
        return None

    def replace(self, planned: tuple[Failure, ...]) -> None:
        """Replace the planned failures."""
        self.planned = list(planned)
        self._taken = {}
