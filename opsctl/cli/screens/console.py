"""Everything that a person sees. Data goes to stdout, messages to stderr, JSON one object per line.

Nothing is said by colour alone. Without a terminal there is no cursor movement and no prompt. Text
from AWS, containers or files is filtered: it cannot move the cursor, and characters that the
terminal's encoding lacks are written in ASCII.
"""

import json as jsonlib
import os
import re
import select
import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

from opsctl.cli.screens.words import fitted
from opsctl.errors import ConfigError, OpsError

if TYPE_CHECKING:
    from opsctl.cli.screens.pipeline import Pipeline

# Increased when a field or a word is renamed or removed, not when one is added: docs/json.md.
JSON_VERSION = 2
_STYLES = {"good": "32", "bad": "31", "warn": "33", "faint": "2", "strong": "1"}
# Control characters except line ends, tabs and our own styles; and characters that reverse the
# direction of text, so that a line reads as something else.
_STYLE = r"\x1b\[(?:0|1|2|31|32|33)m"
_CONTROL = re.compile(
    _STYLE + r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_LEAST = 8  # least columns of a cell that is cut
_STYLED = re.compile(_STYLE)
_ASCII = str.maketrans(
    {"…": "...", "→": "->", "●": "o", "◐": "~", "✗": "!!", "○": "?", "–": "-", "·": ".", "µ": "u"}
    | dict(zip("▁▂▃▄▅▆▇█┤┼─╌▲▼«»", "_.-:=+*#|+--^v<>", strict=True))
)
# A command of ours in a hint that applies to this system.
_COMMAND = re.compile(r"\bopsctl (?=[a-z])(?!sandbox\b|rehearse\b|completion\b|init\b)")
_AWS = re.compile(r"\baws (?=(?:autoscaling|ec2|sso|sts) [a-z])")


class Console:
    """The output. `options` are this command line's global options, to be added to hints.

    `pipeline` is where this command runs, if that shows more than a log. `account` are the options
    with which `aws` means the config's account and Region.
    """

    account = ""

    def __init__(
        self,
        *,
        json: bool = False,
        plain: bool = False,
        options: Sequence[str] = (),
        pipeline: "Pipeline | None" = None,
    ) -> None:
        self.pipeline = pipeline
        self.json = json
        self.plain = plain or json
        self.terminal = sys.stderr.isatty() and not self.plain
        self.interactive = sys.stdin.isatty() and sys.stderr.isatty() and not json
        self._options = shlex.join(options)
        # Whether the command goes on when nobody reads its output any more.
        self.goes_on = False

    def data(self, text: str) -> None:
        """Print requested data, flushed so that a pipe receives it at once."""
        self._write(sys.stdout, text + "\n")

    def in_place(self, lines: Sequence[str]) -> None:
        """Overwrite the last lines from the top, without clearing the screen first."""
        shown = (encodable(printable(line.rstrip()), sys.stdout) for line in lines)
        sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")
        sys.stdout.flush()

    def emit(self, kind: str, /, **fields: Any) -> None:
        """Print one JSON object: `{"v": 2, "type": kind, …}`. Only with `--json`."""
        if self.pipeline is not None:
            self.pipeline.take(kind, fields)
        if self.json:
            self.data(jsonlib.dumps({"v": JSON_VERSION, "type": kind, **fields}, default=_plain))

    def say(self, text: str = "") -> None:
        self._write(sys.stderr, text + "\n")

    def debug(self, text: str) -> None:
        self.say(self.style("faint", f"debug: {text}"))

    def warn(self, text: str) -> None:
        self.say(f"{self.style('warn', 'warning:')} {text}")
        if self.pipeline is not None:
            self.pipeline.annotate("warning", text)

    def error(self, error: OpsError) -> None:
        findings = error.findings if isinstance(error, ConfigError) else ()
        hint = self.hint(error.hint) if error.hint else None
        self.emit(
            "error",
            error=type(error).__name__,
            message=error.message,
            hint=hint,
            findings=list(findings),
            exit_code=error.exit_code,
        )
        if self.pipeline is not None:
            self.pipeline.unfold()
            for text in findings or [error.message]:
                self.pipeline.annotate("error", text)
        for finding in findings:
            self.say(f"  {finding}")
        self.say(f"{self.style('bad', 'error:')} {error.message}")
        if hint:
            self.say(f"{self.style('faint', 'hint:')} {hint}")

    def hint(self, text: str) -> str:
        """Return the hint with this command line's own `--env`, `--config` and `--set`, and with
        the config's profile and Region.
        """
        if self._options:
            text = _COMMAND.sub(lambda _: f"opsctl {self._options} ", text)
        return _AWS.sub(lambda _: f"aws {self.account} ", text) if self.account else text

    def style(self, name: str, text: str) -> str:
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self.terminal else text

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask. Without a terminal and without `--yes` this raises an error instead of waiting."""
        if yes:
            return True
        self._needs_terminal("--yes")
        return self.ask(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    def confirm_soon(self, question: str, *, otherwise: bool, seconds: float = 60.0) -> bool:
        """Ask what cannot wait. Returns `otherwise` when nobody answers in time."""
        self._write(sys.stderr, f"{question} [{'Y/n' if otherwise else 'y/N'}] ")
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if not ready:
            self.say()
            return otherwise
        answer = sys.stdin.readline().strip().lower()
        return answer in ("y", "yes") if answer else otherwise

    def confirm_name(self, question: str, name: str, *, confirmed: Sequence[str]) -> bool:
        """Have `name` typed. `confirmed` are the names given with `--confirm`."""
        if name in confirmed:
            return True
        self._needs_terminal(f"--confirm {name}")
        return self.ask(f"{question}\ntype `{name}` to go on: ").strip() == name

    def _needs_terminal(self, flag: str) -> None:
        if not self.interactive:
            raise ConfigError(
                "this needs an answer, and there is no terminal to ask on",
                hint=f"add {flag} when you are sure",
                cause="needs-confirmation",
            )

    def ask(self, prompt: str) -> str:
        self._write(sys.stderr, prompt)
        return sys.stdin.readline()

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], *, fit: bool = False
    ) -> None:
        """Print aligned columns on stdout. rich would take too long to start for this.

        `fit` cuts the widest cells when a terminal is too narrow; a pipe gets them whole.
        """
        rows = [[*map(printable, row)] for row in rows]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        if fit and sys.stdout.isatty():
            widths = narrowed(widths, shutil.get_terminal_size().columns - 2 * (len(widths) - 1))
            rows = [[*map(fitted, row, widths)] for row in rows]
        for row in (header, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.data(line.rstrip())

    def fold(self, title: str) -> None:
        """In a pipeline, start a long section that can be folded; `unfold` ends it."""
        if self.pipeline is not None:
            self.pipeline.fold(title)

    def unfold(self) -> None:
        if self.pipeline is not None:
            self.pipeline.unfold()

    def _write(self, stream: TextIO, text: str) -> None:
        if self.pipeline is not None:
            as_json = self.json and stream is sys.stdout
            text = self.pipeline.harmless(text, json=as_json)
        try:
            _write(stream, text)
        except BrokenPipeError:
            if not self.goes_on:
                raise
            # What is half done would stay so; the exit code says how it ended.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def narrowed(widths: Sequence[int], room: int) -> list[int]:
    """Narrow the widest columns first, until all fit or none can be narrower."""
    narrow = list(widths)
    while sum(narrow) > room and max(narrow, default=0) > _LEAST:
        widest = narrow.index(max(narrow))
        narrow[widest] -= 1
    return narrow


def printable(text: str) -> str:
    """Return the text without anything that moves the cursor, beeps, or hides what follows."""
    return _CONTROL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    text = match[0]
    if len(text) > 1:
        return text
    return f"\\x{ord(text):02x}" if ord(text) < 0x100 else f"\\u{ord(text):04x}"


def encodable(text: str, stream: TextIO) -> str:
    """Return the text with ASCII instead of characters that the stream's encoding lacks."""
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def holds_everything(stream: TextIO) -> bool:
    """Return whether the stream's encoding holds every Unicode character."""
    return (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")


def _write(stream: TextIO, text: str) -> None:
    # Styles depend on stderr, but stdout may be a file or a pipe.
    if "\x1b" in text and not stream.isatty():
        text = _STYLED.sub("", text)
    stream.write(encodable(printable(text), stream))
    stream.flush()


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
