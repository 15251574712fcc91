"""Child processes that never outlive the sandbox: the kernel ends them when the server dies."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def leash() -> Callable[[], None]:
    """Return what a child runs between fork and exec.

    Fork on the main thread, because the child ends with the thread that forked it.
    """
    parent = os.getpid()

    def attach() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return attach


def spawn(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    directory: Path,
    output: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        cwd=directory,
        preexec_fn=leash(),
    )


def end(child: subprocess.Popen[bytes], *, within: float) -> int:
    """Ask a child to stop, kill it after `within` seconds, and return its exit code."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(within)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    return child.returncode
