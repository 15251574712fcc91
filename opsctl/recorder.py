"""Write a recording: what a command saw and said, as JSON lines that AWS cannot forget.

A recording is `.opsctl/recordings/TIME-COMMAND.jsonl`, readable by its owner only, redacted. Each
line is written whole, so a killed command loses at most its last line. The recorder makes no calls
of AWS; it records what the procedure reads anyway.
"""

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from opsctl.aws import FailedCall
from opsctl.cause import rank
from opsctl.cause.cause import Cause
from opsctl.cause.history import Failure, History, Note
from opsctl.errors import AwsError, ConfigError, OpsError
from opsctl.outcome import Outcome
from opsctl.recording import EMPTY, NOBODY, NOTED, Begun
from opsctl.recording_files import prune
from opsctl.snapshot import record
from opsctl.snapshot.redact import redacted
from opsctl.snapshot.snapshot import Names, Snapshot

VERSION = 1
# Bytes of one recording. Beyond this, no snapshots are written, only events.
_LARGE = 16 * 1024 * 1024
_PER_SECOND = 50_000  # bytes of snapshots, so that a large system is written less often
_AGAIN = timedelta(minutes=1)  # until a call that still fails is written again
_FAILING = 100  # lines of such calls in one recording
_LONGEST = 2000  # characters of one text in an item
# Items that are too many, or contain a whole file.
_SKIPPED = {"ImageEvent", "Caddyfile", "Waiting", "Failed", "ImageProgress"}
# Members with values from the config, which may be secrets.
_LEFT_OUT = {"template", "parameters", "before", "after", "caddyfile_text"}
# Outcomes that a cause explains; the others explain themselves.
_EXPLAINED = {"failed", "rolled-back", "deployed-unhealthy"}


def _safely(method: Callable[..., None]) -> Callable[..., None]:
    """Run a method of the recorder under its lock: calls of AWS fail in threads of their own.

    It never raises, because that would replace the error that the command is about to report.
    """

    @wraps(method)
    def called(self: "Recorder", *given: Any, **named: Any) -> None:
        with self._lock:
            try:
                method(self, *given, **named)
            except Exception as error:
                self._give_up(error)

    return called


class Recorder:
    """Writes one recording. `history` is everything it has seen, for the causes.

    If no file can be written, everything else works, and `trouble` says why. Thread-safe.
    """

    def __init__(
        self,
        folder: Path,
        begun: Begun,
        names: Names | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._lock = threading.RLock()
        at = now()
        self.history = replace(History.empty(names or NOBODY, at), command=begun.command, began=at)
        self.trouble = ""
        # Whether causes explained the outcome, which are then on the screen.
        self.explained = False
        self.path: Path | None = None
        self._file: int | None = None
        self._written = 0
        self._last: Snapshot | None = None
        self._due = at
        self._waiting: Snapshot | None = None
        self._failing: dict[tuple[str, str], datetime] = {}
        self._outages = 0
        self._open(folder, begun, at)
        self._write(
            {
                "type": "recording",
                "v": VERSION,
                "at": at,
                **asdict(begun),
                "names": asdict(names or NOBODY),
            }
        )
        if self.path is not None:
            prune(folder)

    @_safely
    def take(self, item: object) -> None:
        """Record one item of a procedure."""
        if isinstance(item, Snapshot):
            self.history = self.history.plus(item)
            self._snapshot(item)
        elif type(item).__name__ not in _SKIPPED and is_dataclass(item):
            content = _content(item)
            at = self._now()
            note = Note(type(item).__name__, content, at)
            if note.kind in NOTED:
                self.history = self.history.noted(note)
            self._write({"type": "item", "at": at, "kind": note.kind, "fields": content})

    @_safely
    def answered(self, question: str, answer: bool) -> None:
        self._write(
            {
                "type": "item",
                "at": self._now(),
                "kind": "Answered",
                "fields": {"text": question, "answer": answer},
            }
        )

    def explain(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the sentence and the next command of its first cause."""
        self.failed(Failure(outcome.kind, outcome.reason, outcome.hint or "", time=self._now()))
        causes, self.explained = self.causes(), True
        if outcome.kind not in _EXPLAINED or not causes:
            return outcome
        first = causes[0]
        if first.over or not first.hinders or first.id == "unexplained":
            return outcome
        return replace(outcome, reason=first.sentence, hint=first.next or outcome.hint)

    @_safely
    def failed(self, failure: Failure) -> None:
        self.history = self.history.met(failure)
        self._write({"type": "failure", **asdict(failure)})

    @_safely
    def error(self, error: OpsError) -> None:
        """Record the error that ends the command, unless an outcome has said the same."""
        message = error.message
        if any(message.endswith(known.message) for known in self.history.failures):
            return
        self.failed(failure_of(error, self._now()))

    @_safely
    def failing(self, call: FailedCall) -> None:
        """A call that begins to fail, at once: the look that counts it may never end."""
        written = self._failing.get(call.way)
        if self._outages >= _FAILING or (written and call.at - written < _AGAIN):
            return
        self._failing[call.way] = call.at
        self._outages += 1
        self._write({"type": "failing", **asdict(call)})

    def causes(self) -> tuple[Cause, ...]:
        return rank.rank(self.history)

    @_safely
    def close(self, outcome: str, calls: Iterable[FailedCall] = ()) -> None:
        """Write the last line. `calls` are those that failed since the last snapshot."""
        if self._file is None:
            return
        calls = tuple(calls)
        self.history = replace(self.history.failed(calls), outcome=outcome)
        if self._waiting is not None:
            self._put(self._waiting)
        self._write(
            {
                "type": "end",
                "at": self._now(),
                "outcome": outcome,
                "failed_calls": [asdict(call) for call in calls],
            }
        )
        self._leave()

    def _open(self, folder: Path, begun: Begun, at: datetime) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _ignored(folder.parent)
            name = f"{at:%Y%m%dT%H%M%S}-{_named(begun.command)}"
            for number in range(1, 100):
                path = folder / f"{name}{'' if number == 1 else f'-{number}'}.jsonl"
                try:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                    self._file = os.open(path, flags, 0o600)
                except FileExistsError:
                    continue
                self.path = path
                return
        except OSError as error:
            self.trouble = f"{folder}: {error.strerror}"

    def _snapshot(self, now: Snapshot) -> None:
        """Write snapshots that follow quickly as one line, if they read the same parts.

        Otherwise separately: one line must show what was seen at one moment.
        """
        waiting = self._waiting
        if waiting is not None and waiting.look.parts != now.look.parts:
            self._put(waiting)
            waiting = None
        now = now if waiting is None else _joined(waiting, now)
        if now.at < self._due:
            self._waiting = now
        else:
            self._put(now)

    def _put(self, now: Snapshot) -> None:
        """Write only the parts that have changed: most of a large system stays the same."""
        self._waiting = None
        changed = {
            part
            for part in now.look.parts
            if part in _GROWING
            or self._last is None
            or part not in self._last.look.parts
            or getattr(now, part) != getattr(self._last, part)
        }
        if self._last is not None and not changed - _GROWING and not _news(now):
            return
        if self._written > _LARGE:
            return
        slim = replace(
            now, **{part: getattr(EMPTY, part) for part in now.look.parts if part not in changed}
        )
        content = {
            key: value
            for key, value in record.to_json(slim).items()
            if key in _ALWAYS or key in changed
        }
        size = self._write({"type": "snapshot", "changed": sorted(changed), **content})
        self._due = now.at + timedelta(seconds=size / _PER_SECOND)
        carried = {
            part: getattr(self._last, part)
            for part in (self._last.look.parts if self._last else ())
            if part not in now.look.parts
        }
        look = now.look | self._last.look if self._last else now.look
        self._last = replace(now, look=look, **carried)

    def _write(self, line: Mapping[str, Any]) -> int:
        if self._file is None:
            return 0
        data = line_of(line).encode()
        try:
            os.write(self._file, data)
        except OSError as error:
            self._give_up(error)
        self._written += len(data)
        return len(data)

    def _give_up(self, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) else repr(error)
        self.trouble = f"{self.path}: {why}"
        self._leave()

    def _leave(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _named(command: str) -> str:
    """Return the command's words without options, for the file name: `update-tasks`, `db-up`."""
    words = [word for word in command.split()[:2] if not word.startswith("-")]
    return "-".join(re.sub(r"[^\w-]", "", word) for word in words) or "opsctl"


def line_of(content: Mapping[str, Any]) -> str:
    """Return one line of a recording, redacted."""
    return json.dumps(redacted(json.loads(json.dumps(content, default=_plain)))) + "\n"


def snapshot_line(now: Snapshot) -> str:
    """Return a whole snapshot as a line, for a bundle."""
    return line_of({"type": "snapshot", "changed": sorted(now.look.parts), **record.to_json(now)})


def failure_of(error: OpsError, at: datetime) -> Failure:
    aws = isinstance(error, AwsError)
    findings = error.findings if isinstance(error, ConfigError) else ()
    return Failure(
        type(error).__name__,
        f"{error.message}: {findings[0]}" if findings else error.message,
        error.hint or "",
        error.cause,
        error.operation if isinstance(error, AwsError) else "",
        error.code if aws and isinstance(error, AwsError) else "",
        at,
    )


_GROWING = {"events"}
_ALWAYS = {"at", "names", "look", "unread", "failed_calls"}


def _news(now: Snapshot) -> bool:
    return bool(now.events or now.failed_calls or now.unread)


def _joined(earlier: Snapshot, now: Snapshot) -> Snapshot:
    """Join two snapshots into one line, with the events and failed calls of both."""
    return replace(
        now,
        events=(*earlier.events, *now.events),
        failed_calls=(*earlier.failed_calls, *now.failed_calls),
    )


def _ignored(folder: Path) -> None:
    """Keep recordings out of git repositories."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def _content(item: object) -> dict[str, Any]:
    return {name: value for name, value in _short(_slim(item)).items()}


def _slim(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: _slim(getattr(value, one.name))
            for one in fields(value)
            if one.name not in _LEFT_OUT
        }
    if isinstance(value, Mapping):
        return {str(key): _slim(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_slim(item) for item in value]
    return value


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return value


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
