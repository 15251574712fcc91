"""Every character a user sees. Data goes to stdout, talk to stderr, JSON one object a line.

Nothing is said by colour alone. Without a terminal there is no cursor movement and no prompt.
"""

import json as jsonlib
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from opsctl.errors import ConfigError, OpsError

# Raised when a field is renamed or removed; added fields do not raise it. See docs/json.md.
JSON_VERSION = 1
_STYLES = {"good": "32", "bad": "31", "warn": "33", "faint": "2", "strong": "1"}


class Console:
    def __init__(self, *, json: bool = False, plain: bool = False) -> None:
        self.json = json
        self.plain = plain or json
        self.terminal = sys.stderr.isatty() and not self.plain
        self.interactive = sys.stdin.isatty() and sys.stderr.isatty() and not json

    def data(self, text: str) -> None:
        """Print what was asked for; flushed, so that a pipe sees it now."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def emit(self, kind: str, /, **fields: Any) -> None:
        """Print one JSON object: `{"v": 1, "type": kind, …}`; only under `--json`."""
        if self.json:
            self.data(jsonlib.dumps({"v": JSON_VERSION, "type": kind, **fields}, default=_plain))

    def say(self, text: str = "") -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def debug(self, text: str) -> None:
        self.say(self.style("faint", f"debug: {text}"))

    def warn(self, text: str) -> None:
        self.say(f"{self.style('warn', 'warning:')} {text}")

    def error(self, error: OpsError) -> None:
        findings = error.findings if isinstance(error, ConfigError) else ()
        self.emit(
            "error",
            error=type(error).__name__,
            message=error.message,
            hint=error.hint,
            findings=list(findings),
            exit_code=error.exit_code,
        )
        for finding in findings:
            self.say(f"  {finding}")
        self.say(f"{self.style('bad', 'error:')} {error.message}")
        if error.hint:
            self.say(f"{self.style('faint', 'hint:')} {error.hint}")

    def style(self, name: str, text: str) -> str:
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self.terminal else text

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask; without a terminal and without `--yes` that is an error, never a hang."""
        if yes:
            return True
        self._needs_terminal()
        return self.ask(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    def confirm_name(self, question: str, name: str, *, confirmed: str | None) -> bool:
        """Ask for `name` to be typed; `confirmed` is what a flag already gave."""
        if confirmed is not None:
            return confirmed == name
        self._needs_terminal(f"--confirm {name}")
        return self.ask(f"{question}\ntype `{name}` to go on: ").strip() == name

    def _needs_terminal(self, flag: str = "--yes") -> None:
        if not self.interactive:
            raise ConfigError(
                "this needs an answer, and there is no terminal to ask on",
                hint=f"add {flag} when you are sure",
            )

    def ask(self, prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns on stdout; rich is not worth its start-up time for this."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.data(line.rstrip())


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
