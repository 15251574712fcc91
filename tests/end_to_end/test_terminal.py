"""A stack operation on a real terminal: the question, Ctrl-C with its choice, and joining again."""

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pexpect
import pytest

from tests.end_to_end.place import ROOT, Place, require_hints

Spawn = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    return system("terminal")


@pytest.fixture
def spawn(place: Place) -> Spawn:
    return partial(terminal, place)


def terminal(place: Place, *words: str) -> "pexpect.spawn[str]":
    """The command on a terminal of its own."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "opsctl", *words],
        cwd=str(place.folder),
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **place.env},
        timeout=30,
        encoding="utf8",
        preexec_fn=_hear_interrupts,
    )
    child.logfile_read = io.StringIO()
    return child


def _hear_interrupts() -> None:
    """A run in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def exit_code(child: "pexpect.spawn[str]") -> int | None:
    """Of a child that is at its end, whose hints can be pasted."""
    child.expect(pexpect.EOF)
    child.close()
    assert isinstance(child.logfile_read, io.StringIO)
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", child.logfile_read.getvalue())
    words = [os.fsdecode(word) for word in child.args[3:]]
    require_hints("", screen, words, child.env or {}, Path(str(child.cwd)))
    return child.exitstatus


def test_ctrl_c_asks_once_and_a_detached_operation_is_joined(place: Place, spawn: Spawn) -> None:
    child = spawn("db", "up")
    child.expect("apply this to")
    child.sendline("y")
    child.expect("CacheCluster.*…")
    child.sendintr()
    child.expect("d/c/w")
    child.sendline("d")
    child.expect("run the same command again to follow it to its end")
    assert exit_code(child) == 7

    joined = place.opsctl("db", "up", "--yes")
    assert joined.returncode == 0, joined.stderr
    assert "CREATE_COMPLETE" in joined.stdout


def test_ctrl_c_at_the_question_interrupts(place: Place, spawn: Spawn) -> None:
    child = spawn("db", "up", "--set", "db.name=another")
    child.expect("type `terminal-db` to go on")
    child.sendintr()

    assert exit_code(child) == 130
    assert "UPDATE" not in place.opsctl("db", "status").stdout
