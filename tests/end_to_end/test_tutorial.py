"""The tutorial as a newcomer does it: its own lines, one after another, typed into a shell.

An empty directory, a real terminal, a sandbox of its own, and the questions answered.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.end_to_end.place import ROOT

TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", TUTORIAL, re.S) for line in block.splitlines()
]
# What the tutorial says of these: 2 means different; the one warning is the missing engine.
ENDS = {"opsctl db plan": {2}, "opsctl doctor": {0, 10}}
# Installing is for test_install; the image is built in tests/engine; each rehearsal has its test.
ELSEWHERE = re.compile(r"pipx |opsctl update-tasks$|opsctl rehearse \S")
PROMPT = r"exit (\d+)> "
NO, YES = {r"\[y/N\]": "n"}, {r"\[y/N\]": "y", r"name of the system \[\w+\]": ""}


class Shell:
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
        patterns: list[Any] = [PROMPT, *answers]
        self._bash.sendline(line)
        while at := self._bash.expect(patterns):
            said += str(self._bash.before)
            self._bash.sendline(answers[patterns[at]])
        assert isinstance(self._bash.match, re.Match)
        return int(self._bash.match[1]), said + str(self._bash.before)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("newcomer"))
    yield made
    made.type("opsctl sandbox down")


@pytest.mark.timeout(300)
def test_every_line_of_the_tutorial_does_what_it_says(shell: Shell) -> None:
    screen = {}
    for line in LINES:
        if ELSEWHERE.match(line):
            continue
        if line == "opsctl db up":
            code, said = shell.type(line, NO)
            assert code == 7 and "nothing was done" in said
        # Simulated time is faster here, so that nobody waits.
        code, said = shell.type(line.replace("sandbox up", "sandbox up --speed 300"))
        assert code in ENDS.get(line, {0}), f"{line}: exit {code}\n{said}"
        assert "Traceback" not in said, said
        screen[line] = said
    assert "deployed" in screen['opsctl update-tasks --image "$(opsctl sandbox image)"']
    assert "back to release 1" in screen["opsctl rollback"]
    assert "nothing wrong that can be seen" in screen["opsctl why"]
    assert "stopped" in screen["opsctl sandbox down"]
