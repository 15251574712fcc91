"""This process, so that a lock says whose it is, and whether its holder still lives."""

import os
import shlex
import socket
import sys
from pathlib import Path

from opsctl.aws import Caller
from opsctl.snapshot.redact import redact

_PROC = Path("/proc")


def caller(why: str) -> Caller:
    """`command` is without `opsctl`: it is somebody else's, and not a hint for who reads it."""
    command = redact(shlex.join(sys.argv[1:]))
    return Caller(command, redact(why), socket.gethostname(), process(), gone)


def process() -> str:
    """Boot, process namespace, id and start: a container may have the host's name and our id."""
    pid = os.getpid()
    machine, started = _machine(), _started(pid)
    return f"{machine} {pid} {started}" if machine and started else ""


def gone(process: str) -> bool:
    """Whether it ran here and has ended; what ran elsewhere may still live."""
    machine, _, rest = process.partition(" ")
    pid, _, started = rest.partition(" ")
    here = bool(process) and machine == _machine() and pid.isdecimal()
    return here and _started(int(pid)) != started


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:  # no Linux
        return ""


def _started(pid: int) -> str:
    """Clock ticks after the boot, '' for one that has ended: proc(5), fields 3 and 22."""
    try:
        # The name before them may hold spaces and parentheses.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
