"""Format a log event as one line with its continuation, or as one JSON object. Prints nothing."""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from typing import TypeAlias

from opsctl.cli.screens.console import JSON_VERSION
from opsctl.errors import ConfigError
from opsctl.logs import message
from opsctl.logs.aws_events import BAD
from opsctl.logs.events import LogEvent
from opsctl.logs.identity import short_id
from opsctl.logs.message import read

FIELDS = ("time", "ingested", "lag", "source", "stream", "id", "zone", "level", "message")
DEFAULT = ("time", "source", "id", "level", "message")
_OF_STREAM = frozenset(("source", "stream", "id", "zone", "level"))
# AWS's events whose subject is a name, not an id of a task or an instance.
_WHOLE_NAMES = frozenset(("service", "stack", "alarm", "release"))
_MOST_KNOWN = 10_000
_COLOURS = ("36", "35", "34", "33", "32", "96", "95", "94", "93", "92")
_LEVEL_COLOURS = {"warning": "33", "error": "31", "critical": "31", "fatal": "31", "panic": "31"}


Column: TypeAlias = Callable[[LogEvent, message.Message], str]


def parse_fields(text: str) -> tuple[str, ...]:
    """Parse names of FIELDS, and paths such as `.status` for fields of JSON and logfmt messages."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in FIELDS and not name[:1] == "." != name:
            raise ConfigError(
                f"unknown field `{name}`; choose {', '.join(FIELDS)}, "
                "or `.name` for a field of JSON messages"
            )
    return names


class Lines:
    """Formats events. What repeats (times of one second, streams) is formatted once.

    `zones` returns the availability zone of a stream's task or instance, or '' while unknown.
    """

    def __init__(
        self,
        *,
        fields: Sequence[str] = DEFAULT,
        zone: tzinfo = UTC,
        colour: bool = False,
        highlight: re.Pattern[str] | None = None,
        zones: Callable[[str], str] = lambda stream: "",
        width: int = 6,
    ) -> None:
        self._zone = zone
        self._colour = colour
        self._highlight = highlight
        self._marks = ("\x1b[7m", "\x1b[27m") if colour else ("«", "»")
        self._zones = zones
        self._width = width  # of the sources' column
        self._seconds: dict[int, str] = {}
        self._columns = [self._column(names) for names in _together(fields)]

    def line(self, event: LogEvent) -> str:
        said = read(event[5])
        return " ".join([column(event, said) for column in self._columns]).rstrip()

    def more(self, event: LogEvent) -> str:
        """Return a line that continues what its stream wrote in the line above."""
        return f"    {self._message(event, message.read(event.message))}"

    def _column(self, names: Sequence[str]) -> Column:
        if names[0] in _OF_STREAM:
            return self._of_stream(names)
        if names[0].startswith("."):
            return lambda _, said: _visible(_value(said, names[0][1:]))
        columns: Mapping[str, Column] = {
            "time": lambda event, _: self._time(event[0]),
            "ingested": lambda event, _: self._time(event[1]),
            "lag": lambda event, _: f"{event.lag / 1000:6.1f}s",
            "message": self._message,
        }
        return columns[names[0]]

    def _of_stream(self, names: Sequence[str]) -> Column:
        """Return a column for fields that are the same for all events of a stream and level."""
        known: dict[tuple[str, str, str], str] = {}
        columns: Mapping[str, Callable[[LogEvent, str], str]] = {
            "source": lambda event, _: f"{_visible(event.source):<{self._width}}",
            "stream": lambda event, _: _visible(event.stream),
            "id": lambda event, _: self._label(event),
            "zone": lambda event, _: f"{self._zones(event.stream)[-2:]:<2}",
            "level": lambda _, level: self._level(level),
        }

        def column(event: LogEvent, said: message.Message) -> str:
            key = (event[2], event[3], said[0])
            text = known.get(key)
            if text is None:
                if len(known) > _MOST_KNOWN:
                    known.clear()
                text = " ".join([columns[name](event, said[0]) for name in names])
                if "zone" not in names or self._zones(event.stream):
                    known[key] = text
            return text

        return column

    def _time(self, timestamp: int) -> str:
        second = timestamp // 1000
        known = self._seconds.get(second)
        if known is None:
            if len(self._seconds) > _MOST_KNOWN:
                self._seconds.clear()
            moment = datetime.fromtimestamp(second, self._zone)
            zone = "Z" if self._zone is UTC else moment.isoformat()[-6:]
            known = self._seconds[second] = f"{moment:%Y-%m-%d %H:%M:%S}.%03d{zone}"
        return known % (timestamp % 1000)

    def _label(self, event: LogEvent) -> str:
        stream = event.stream
        name = stream if event.source in _WHOLE_NAMES else short_id(stream)
        if event.source == "target":
            instance, colon, port = stream.partition(":")
            name = f"{short_id(instance)}{colon}{port}"
        label = f"{_visible(name):<10}"
        if not self._colour:
            return label
        # A stream has the same colour in every run; its name says the same without colour.
        colour = _COLOURS[zlib.crc32(stream.encode("utf-8", "replace")) % len(_COLOURS)]
        return f"\x1b[{colour}m{label}\x1b[0m"

    def _level(self, level: str) -> str:
        shown = f"{level.upper():<8}"
        coloured = self._colour and level in _LEVEL_COLOURS
        return f"\x1b[{_LEVEL_COLOURS[level]}m{shown}\x1b[0m" if coloured else shown

    def _message(self, event: LogEvent, said: message.Message) -> str:
        text = message.laid_out(said) if said.fields else said.text
        if not text.isprintable():
            # The further lines of a message are an indented block.
            text = "\n    ".join(map(_visible, text.splitlines()))
        if self._highlight is not None:
            text = self._highlight.sub(self._marked, text)
        return f"[late +{event.lag / 1000:.0f}s] {text}" if event.late else text

    def _marked(self, match: re.Match[str]) -> str:
        return f"{self._marks[0]}{match[0]}{self._marks[1]}" if match[0] else ""


def _together(fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Group neighbouring fields that are formatted once per stream."""
    return [
        names
        for of_stream, group in groupby(fields, key=_OF_STREAM.__contains__)
        for names in ([tuple(group)] if of_stream else [(name,) for name in group])
    ]


def _value(said: message.Message, path: str) -> str:
    value = message.field(said, path)
    return "-" if value is None else message.shown(value)


def _visible(text: str) -> str:
    """Return the text on one line, without anything that moves the cursor or hides what follows."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else "  " if c == "\t" else "�" for c in text])


def as_json(event: LogEvent, group: str | None, *, ascii: bool = False) -> str:
    """Return one JSON object. Without a group it is an event of AWS, and `stream` its subject.

    `ascii` is for outputs that cannot hold every character.
    """
    if group is None:
        return _of_aws(event)
    said = message.read(event.message)
    fields = {
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
    }
    try:
        text = json.dumps(fields, ensure_ascii=ascii, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(fields, allow_nan=False)  # half of a surrogate pair
    except (ValueError, RecursionError):
        # 1e999, or a message nested as deeply as can be read: JSON cannot express them.
        return json.dumps({**fields, "fields": None})
    return text


def _of_aws(event: LogEvent) -> str:
    return json.dumps(
        {
            "v": JSON_VERSION,
            "type": "event",
            "time": _iso(event.timestamp),
            "kind": event.source,
            "subject": event.stream,
            "text": event.message.removeprefix(BAD),
            "bad": event.message.startswith(BAD),
            "late": event.late,
        }
    )


def _iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat(timespec="milliseconds")
