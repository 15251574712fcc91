"""A log event as one line (and its continuation), or as one JSON object. No printing here."""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from opsctl.cli.screens.console import JSON_VERSION
from opsctl.errors import ConfigError
from opsctl.logs import message
from opsctl.logs.events import LogEvent

FIELDS = ("time", "ingested", "lag", "source", "stream", "id", "level", "message")
DEFAULT = ("time", "source", "id", "level", "message")
_COLOURS = ("36", "35", "34", "33", "32", "96", "95", "94", "93", "92")
_LEVEL_COLOURS = {"warning": "33", "error": "31", "critical": "31", "fatal": "31", "panic": "31"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}$")
_INSTANCE = re.compile(r"i-[0-9a-f]+$")


def parse_fields(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in FIELDS:
            raise ConfigError(f"unknown field `{name}`; choose {', '.join(FIELDS)}")
    return names


def short_id(stream: str) -> str:
    """The task or instance a stream belongs to, short enough for a column.

    Streams are named `prefix/container/task`, `task`, `instance`, `cluster/instance`, or
    `{root}{timestamp}-{task or number}`.
    """
    last = stream.rsplit("/", 1)[-1]
    if instance := _INSTANCE.search(last):
        return instance.group()[:10]
    if uuid := _UUID.search(last):
        return uuid.group()[:8]
    return last.rsplit("-", 1)[-1][:8]


class Lines:
    """Formats events; what repeats (times of one second, streams) is worked out once."""

    def __init__(
        self, *, fields: Sequence[str] = DEFAULT, zone: tzinfo = UTC, colour: bool = False
    ) -> None:
        self._zone = zone
        self._colour = colour
        self._seconds: dict[int, tuple[str, str]] = {}
        self._labels: dict[str, str] = {}
        self._levels: dict[str, str] = {}
        columns: Mapping[str, Callable[[LogEvent, message.Message], str]] = {
            "time": lambda event, _: self._time(event.timestamp),
            "ingested": lambda event, _: self._time(event.ingested),
            "lag": lambda event, _: f"{event.lag / 1000:6.1f}s",
            "source": lambda event, _: f"{event.source:<6}",
            "stream": lambda event, _: event.stream,
            "id": lambda event, _: self._label(event.stream),
            "level": lambda _, said: self._level(said.level),
            "message": self._message,
        }
        self._columns = [columns[name] for name in fields]

    def line(self, event: LogEvent) -> str:
        said = message.read(event.message)
        return " ".join([column(event, said) for column in self._columns]).rstrip()

    def _time(self, timestamp: int) -> str:
        second, milliseconds = divmod(timestamp, 1000)
        known = self._seconds.get(second)
        if known is None:
            moment = datetime.fromtimestamp(second, self._zone)
            zone = "Z" if self._zone is UTC else moment.isoformat()[-6:]
            known = self._seconds[second] = (moment.strftime("%Y-%m-%d %H:%M:%S."), zone)
        return f"{known[0]}{milliseconds:03d}{known[1]}"

    def _label(self, stream: str) -> str:
        label = self._labels.get(stream)
        if label is None:
            label = f"{short_id(stream):<10}"
            if self._colour:
                # The same stream has the same colour in every run; the name says it as well.
                colour = _COLOURS[zlib.crc32(stream.encode()) % len(_COLOURS)]
                label = f"\x1b[{colour}m{label}\x1b[0m"
            self._labels[stream] = label
        return label

    def _level(self, level: str) -> str:
        shown = self._levels.get(level)
        if shown is None:
            shown = f"{level.upper():<8}"
            if self._colour and level in _LEVEL_COLOURS:
                shown = f"\x1b[{_LEVEL_COLOURS[level]}m{shown}\x1b[0m"
            self._levels[level] = shown
        return shown

    def _message(self, event: LogEvent, said: message.Message) -> str:
        text = message.laid_out(said)
        if not text.isprintable():
            # A log line must not move the cursor; what follows the first line is its own block.
            lines = ["".join(c if c.isprintable() else _shown(c) for c in line)
                     for line in text.splitlines()]  # fmt: skip
            text = "\n    ".join(lines)
        return f"[late +{event.lag / 1000:.0f}s] {text}" if event.late else text


def _shown(character: str) -> str:
    return "  " if character == "\t" else "�"


def as_json(event: LogEvent, group: str) -> str:
    said = message.read(event.message)
    return json.dumps(
        {
            "v": JSON_VERSION,
            "type": "log",
            "time": _iso(event.timestamp),
            "ingested": _iso(event.ingested),
            "source": event.source,
            "group": group,
            "stream": event.stream,
            "id": short_id(event.stream),
            "event_id": event.id,
            "level": said.level or None,
            "late": event.late,
            "message": event.message,
            "fields": said.fields,
        },
        ensure_ascii=False,
    )


def _iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds")
