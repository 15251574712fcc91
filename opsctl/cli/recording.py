"""Which commands are recorded, where, and which recording `why` reads later."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import disk
from opsctl.errors import OpsError
from opsctl.recording_files import newest_first

if TYPE_CHECKING:
    from opsctl.cause.history import History
    from opsctl.cli.options import Invocation
    from opsctl.recorder import Recorder
    from opsctl.recording import Recording
    from opsctl.snapshot.snapshot import Snapshot

# The commands that change something, by their first words.
CHANGING = {
    *(("db", "up"), ("db", "down"), ("ecs", "up"), ("ecs", "down"), ("alarms", "up")),
    *(("alarms", "down"), ("ecs", "roll-instances"), ("update-tasks",), ("rollback",)),
    *(("ecs", "scale"), ("ecs", "restart"), ("db", "snapshot")),
}
_RECENT = timedelta(hours=12)  # for a command that failed
_JUST_NOW = timedelta(hours=1)  # for one that did not


def folder(invocation: "Invocation") -> Path:
    """Return the recordings' folder beside the config, whatever the working directory."""
    return invocation.path.parent / ".opsctl" / "recordings"


def begin(invocation: "Invocation") -> "Recorder | None":
    """Return this command's recorder, created on first use; None for a command that only reads."""
    if invocation.recorder is None and changes(invocation):
        from opsctl.cli import version
        from opsctl.recorder import Recorder
        from opsctl.recording import Begun
        from opsctl.snapshot.snapshot import Names

        try:
            names = Names.of(invocation.config)
        except OpsError:
            names = None
        begun = Begun(
            " ".join(invocation.words),
            names.system if names else "",
            names.environment if names else "",
            version(),
        )
        invocation.recorder = Recorder(folder(invocation), begun, names)
        if invocation.recorder.trouble:
            invocation.console.warn(f"this is not recorded: {invocation.recorder.trouble}")
    return invocation.recorder


def changes(invocation: "Invocation") -> bool:
    words = tuple(word for word in invocation.words if not word.startswith("-"))
    return not invocation.planning and (words[:2] in CHANGING or words[:1] in CHANGING)


def failed(invocation: "Invocation", error: OpsError) -> "Recorder | None":
    """Record the error that ends the command, and return the recorder, if there is one."""
    recorder = begin(invocation)
    if recorder is not None:
        recorder.error(error)
    return recorder


def end(invocation: "Invocation", outcome: str) -> None:
    recorder, invocation.recorder = invocation.recorder, None
    if recorder is not None:
        recorder.close(outcome, invocation.failed_calls())
        if recorder.path is not None and recorder.trouble:
            invocation.console.warn(f"the recording ends early: {recorder.trouble}")


def newest(folder: Path, system: str, *, now: datetime | None = None) -> "Recording | None":
    """Return the last recording of this system, as long as it says something about the present."""
    now = now or datetime.now(UTC)
    read = ((path, _read(path)) for path in newest_first(folder))
    ours = ((path, one) for path, one in read if one and one.begun.system in ("", system))
    path, recording = next(ours, (None, None))
    if path is None or recording is None:
        return None
    _, earlier = next(ours, (None, None))
    if (
        earlier
        and earlier.failures
        and not recording.failures
        and _ended_within(earlier, recording)
    ):
        return earlier
    ended = recording.ended or _written(path)
    limit = _RECENT if recording.failures or recording.ended is None else _JUST_NOW
    return recording if now - ended < limit else None


def _ended_within(earlier: "Recording", recording: "Recording") -> bool:
    """Return whether the earlier command ended after the later one began, so it was overtaken."""
    return earlier.ended is not None and earlier.ended > recording.at


def with_looks(recording: "Recording | None", looks: "Sequence[Snapshot]") -> "History":
    """Join the recording and looks at the present, of which there is one at least, into one
    history.

    A recorded failure counts only until a newer deployment has succeeded.
    """
    from opsctl.cause.history import History
    from opsctl.cause.telling import steady

    if recording is None:
        return History.of(looks)
    history, now = recording.history, looks[-1]
    primary = now.primary
    newer = (
        primary is not None
        and primary.id not in history.deployments
        and primary.created is not None
        and primary.created > (recording.ended or recording.at)
    )
    if newer and steady(now):
        return History.of(looks)
    for one in looks:
        history = history.plus(one)
    return history


def read(path: Path) -> "Recording":
    """Read a recording. Raises OpsError for a file that cannot be read or is not a recording."""
    from opsctl.recording import Recording

    try:
        if path.is_char_device():
            raise OpsError(f"`{path}` is a device, and no recording")
        with TextIOWrapper(disk.opened(path), encoding="utf-8", errors="replace") as lines:
            return Recording.read(lines, path=path)
    except OSError as error:
        raise OpsError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="name a file that was written by: opsctl why --save FILE",
        ) from error


def _read(path: Path) -> "Recording | None":
    try:
        return read(path)
    except OpsError:
        return None


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(os.stat(path).st_mtime, UTC)


def names(folder: Path) -> Iterator[str]:
    """Yield the recordings, newest first, for the shell's completion."""
    return (str(path) for path in newest_first(folder))
