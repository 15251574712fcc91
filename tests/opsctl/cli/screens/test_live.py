"""What is drawn on a real terminal goes away while Ctrl-Z stops the command, and comes back."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pexpect

from tests.end_to_end.place import ROOT

SCRIPT = """
import os, time
print("child", os.getpid(), flush=True)
from rich.text import Text
from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console
drawing = live.start(Console(), lambda: Text("one\\ntwo"), per_second=20, transient=True)
time.sleep(20)
"""


# A process group without a parent in its session is not stopped by SIGTSTP.
PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]], process_group=0).wait()
"""


def test_ctrl_z_gives_the_terminal_back_and_fg_draws_again() -> None:
    child = pexpect.spawn(
        sys.executable, ["-c", PARENT, SCRIPT], cwd=str(ROOT), timeout=20, encoding="utf-8",
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    child.expect(r"child (\d+)")
    assert isinstance(child.match, re.Match)
    pid = int(child.match[1])
    child.expect_exact("\x1b[?25l")
    for _ in range(3):
        child.expect_exact("two")
    os.kill(pid, signal.SIGTSTP)
    child.expect_exact("\x1b[?25h")  # the cursor is shown
    deadline = time.monotonic() + 10
    while _state(pid) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _state(pid) == "T"
    os.kill(pid, signal.SIGCONT)
    child.expect_exact("\x1b[?25l")
    child.expect_exact("two")
    os.kill(pid, signal.SIGTERM)
    child.expect(pexpect.EOF)


def _state(pid: int) -> str:
    """Return T for a process that is stopped: proc(5), field 3."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


RACE = """
import sys, time
from rich.text import Text
from opsctl.cli.screens import live
from opsctl.cli.screens.console import Console
height, console = 1, Console()
drawing = live.start(
    console, lambda: Text("\\n".join(["drawn"] * height)), per_second=2000, transient=True
)
for number in range(400):
    height = number % 7 + 1
    console.say(f"line {number}")
drawing.stop()
"""


def test_lines_above_a_drawing_that_changes_its_height_leave_none_of_it_behind() -> None:
    child = pexpect.spawn(
        sys.executable, ["-c", RACE], cwd=str(ROOT), timeout=20, encoding="utf-8",
        env={**os.environ, "TERM": "xterm"}, dimensions=(500, 80),
    )  # fmt: skip
    raw = child.read()
    rows, row = {0: ""}, 0
    for piece in re.split(r"(\r?\n|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh]|\r)", raw):
        if piece.endswith("\n"):
            row += 1
        elif piece.endswith("A"):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            rows[row] = ""
        elif not piece.startswith(("\r", "\x1b")):
            rows[row] = rows.get(row, "") + piece
    assert [text for text in rows.values() if text] == [f"line {n}" for n in range(400)]
