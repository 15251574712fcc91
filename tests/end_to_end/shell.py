"""A newcomer at a terminal: lines of the documents typed into a real shell, questions answered."""

import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect

from tests.end_to_end.place import ROOT

_PROMPT = r"exit (\d+)> "
NO: Mapping[str, str] = {r"\[y/N\]": "n"}
YES: Mapping[str, str] = {r"\[y/N\]": "y", r"name of the system \[\w+\]": ""}
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and the text of each block of a page, in its order."""
    return _FENCE.findall(page.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> list[str]:
    """What stands in the shell blocks of a page, line by line."""
    shell = [text for language, text in blocks(page) if language == "sh"]
    return [line.strip() for text in shell for line in text.splitlines()]


class Shell:
    """In an empty home directory, without Docker; `opsctl` is the one of this checkout."""

    def __init__(self, home: Path) -> None:
        tools = home / "bin"
        tools.mkdir()
        (tools / "opsctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m opsctl "$@"\n')
        (tools / "opsctl").chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name[:3] != "AWS"}
        self.home = home
        self._bash = pexpect.spawn(
            "bash", ["--norc", "--noprofile"],
            cwd=str(home), encoding="utf-8", timeout=60, dimensions=(40, 100),
            env={
                **kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm",
                "PATH": f"{tools}:{kept['PATH']}", "DOCKER_HOST": "unix:///nowhere",
            },
        )  # fmt: skip
        self.type("PS1='exit $''?> '")

    def type(self, line: str, answers: Mapping[str, str] = YES) -> tuple[int, str]:
        """The exit code, and all that was on the screen."""
        said = ""
        patterns: list[Any] = [_PROMPT, *answers]
        self._bash.sendline(line)
        while at := self._bash.expect(patterns):
            said += str(self._bash.before)
            assert isinstance(self._bash.match, re.Match)
            self._bash.sendline(self._bash.match.expand(answers[patterns[at]]))
        assert isinstance(self._bash.match, re.Match)
        return int(self._bash.match[1]), said + str(self._bash.before)

    def watch(self, line: str, until: str) -> tuple[int, str]:
        """A command that never ends: Ctrl-C once this stands on the screen."""
        self._bash.sendline(line)
        self._bash.expect(until)
        said = str(self._bash.before) + str(self._bash.after)
        time.sleep(0.2)
        self._bash.sendintr()
        self._bash.expect(_PROMPT)
        assert isinstance(self._bash.match, re.Match)
        return int(self._bash.match[1]), said + str(self._bash.before)
