"""Identify this process, so that a lock names its holder and others can tell if it still runs."""

import os
import shlex
import socket
import sys
from contextlib import suppress
from pathlib import Path

from opsctl.aws import Caller
from opsctl.snapshot.redact import redact

_PROC = Path("/proc")
_PR_SET_DUMPABLE = 4  # prctl(2)


def caller(why: str) -> Caller:
    """Return who acts. `command` lacks the word `opsctl`: it is not a hint for the reader."""
    command = " ".join(_masked(word) for word in sys.argv[1:])
    return Caller(command, redact(why), socket.gethostname(), process(), gone)


def process() -> str:
    """Return boot id, process namespace, id and start: containers may share names and ids."""
    pid = os.getpid()
    machine, started = _machine(), _started(pid)
    return f"{machine} {pid} {started}" if machine and started else ""


def keep_memory_private() -> None:
    """Leave no core dump, and let no other process of this user look in: a secret comes in."""
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError, AttributeError):  # not Linux
        # Also stops handlers of cores, such as systemd-coredump, for which the limit is nothing.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def gone(process: str) -> bool:
    """Return whether the process ran on this machine and has ended; others may still run."""
    machine, _, rest = process.partition(" ")
    pid, _, started = rest.partition(" ")
    here = bool(process) and machine == _machine() and pid.isdecimal()
    return here and _started(int(pid)) != started


def _masked(word: str) -> str:
    """Return the word as a shell takes it. A secret after `=` may contain spaces."""
    masked = redact(word)
    if masked == word:
        return shlex.quote(word)
    name, equals, _ = masked.partition("=")
    return f"{name}=•••" if equals else masked


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:  # not Linux
        return ""


def _started(pid: int) -> str:
    """Return the start in clock ticks since boot, '' if it has ended: proc(5), fields 3, 22."""
    try:
        # The name before these fields may contain spaces and parentheses.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
