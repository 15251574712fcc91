"""An incident as one value: a recording, the live system, metrics; collected, saved, read."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.cli import recording as recordings
from opsctl.errors import ConfigError, OpsError
from opsctl.recording import Begun, Recording
from opsctl.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from opsctl.cli.options import Invocation


@dataclass(frozen=True, slots=True)
class Incident:
    """What `why` explains. `now` is None for one that is read from a file."""

    history: History
    recording: Recording | None
    at: datetime
    now: Snapshot | None = None


def collect(invocation: "Invocation", *, metrics: bool) -> Incident:
    """The live system and the newest recording of it. Nobody waits minutes for an answer here."""
    from opsctl.cause.looks import EVERYTHING

    try:
        config = invocation.config
    except ConfigError as error:
        return _refused(error)
    now = invocation.quick_reader(EVERYTHING)
    recording = recordings.newest(recordings.folder(invocation), config.system)
    return Incident(recordings.with_now(recording, now), recording, now.at, now)


def _refused(error: ConfigError) -> Incident:
    """A config that no command takes is the cause by itself; AWS cannot be asked about it."""
    from opsctl.recorder import failure_of
    from opsctl.recording import NOBODY

    at = datetime.now(UTC)
    history = History.empty(NOBODY, at).met(failure_of(error, at))
    return Incident(history, None, at, history.now)


def read(path: Path) -> Incident:
    recording = recordings.read(path)
    return Incident(recording.history, recording, recording.ended or recording.at)


def save(incident: Incident, path: Path) -> None:
    """One redacted file, for its owner only, that `why --from` reads anywhere."""
    from opsctl.recorder import line_of, snapshot_line

    recording, now = incident.recording, incident.now
    lines: list[str] = []
    if recording is not None and recording.path is not None:
        lines = recording.path.read_text(encoding="utf-8").splitlines(keepends=True)
    elif now is not None:
        begun = Begun("", now.names.system, now.names.environment)
        lines.append(
            line_of(
                {
                    "type": "recording",
                    "v": 1,
                    "at": now.at,
                    **asdict(begun),
                    "names": asdict(now.names),
                }
            )
        )
    if now is not None:
        lines.append(snapshot_line(now))
    if recording is None:
        lines += [line_of({"type": "failure", **asdict(one)}) for one in incident.history.failures]
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.writelines(lines)
    except OSError as error:
        raise OpsError(f"`{path}` cannot be written: {error.strerror}") from error


def write_page(incident: Incident, causes: Sequence[Cause], path: Path) -> None:
    raise NotImplementedError
