"""Output for CI pipelines: annotations, folded sections, GitHub's step summary.

It is made of the same objects that `--json` prints, so a summary says the same as the screen.
"""

import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from opsctl.cli.screens import summary

# Text of files or AWS must not be read by GitHub's runner as a command. The runner accepts `::` at
# the start of a line, and `##[` anywhere.
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_PLACE = re.compile(
    r"(?P<file>[^:\s][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?:? (?P<text>.*)", re.DOTALL
)


class Pipeline:
    """The pipeline of one command. `take` receives every object; `end` writes the summary."""

    def __init__(self, kind: Literal["github", "gitlab"], environ: Mapping[str, str]) -> None:
        self._kind = kind
        self._root = environ.get("GITHUB_WORKSPACE", "")
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "") if kind == "github" else ""
        self._objects: list[tuple[str, Mapping[str, Any]]] = []
        self._open = ""

    def take(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self._summary and kind in summary.KINDS:
            self._objects.append((kind, fields))

    def harmless(self, text: str, *, json: bool = False) -> str:
        if self._kind != "github":
            return text
        broken = r"\u0023#[" if json else "# #["
        return _COMMAND.sub(r"\1: ", text).replace("##[", broken)

    def annotate(self, level: Literal["error", "warning"], text: str) -> None:
        """Annotate the line of the file with which `text` begins, else the whole run."""
        if self._kind != "github":
            return
        place = _PLACE.fullmatch(text)
        properties = ["title=opsctl"]
        if place is not None:
            properties.insert(0, f"file={_property(self._relative(place['file']))}")
            properties.insert(1, f"line={place['line']}")
            if place["column"]:
                properties.insert(2, f"col={place['column']}")
        _write(f"::{level} {','.join(properties)}::{_data(place['text'] if place else text)}\n")

    def fold(self, title: str) -> None:
        """Fold the following output, until the next `fold` or `unfold`."""
        self.unfold()
        self._open = title
        if self._kind == "github":
            _write(f"::group::{_data(title)}\n")
        else:
            name = _section(title)
            _write(f"\x1b[0Ksection_start:{int(time.time())}:{name}\r\x1b[0K{title}\n")

    def unfold(self) -> None:
        if self._open and self._kind == "github":
            _write("::endgroup::\n")
        elif self._open:
            _write(f"\x1b[0Ksection_end:{int(time.time())}:{_section(self._open)}\r\x1b[0K\n")
        self._open = ""

    def end(self, command: str, region: str) -> None:
        """Write the summary. Raises OSError when that fails."""
        self.unfold()
        if self._objects:
            text = summary.markdown(command, self._objects, region)
            with Path(self._summary).open("a", encoding="utf-8") as file:
                file.write(text)
            self._objects.clear()

    def _relative(self, file: str) -> str:
        """Return the path relative to the repository's root, as GitHub expects."""
        path = os.path.abspath(file)
        inside = self._root and path.startswith(os.path.join(self._root, ""))
        return os.path.relpath(path, self._root) if inside else file


def of(environ: Mapping[str, str]) -> Pipeline | None:
    """Return the pipeline in which this command runs, or None."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return Pipeline("github", environ)
    return Pipeline("gitlab", environ) if environ.get("GITLAB_CI") == "true" else None


def _write(text: str) -> None:
    """Write without the console, which removes control characters."""
    sys.stderr.write(text)
    sys.stderr.flush()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _section(title: str) -> str:
    return re.sub(r"\W+", "_", title.lower())
