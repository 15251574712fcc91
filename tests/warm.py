"""`opsctl` as a process of its own that need not import everything once more.

More than half of a short command is Python reading its modules. A server that has read them, and
does nothing else, forks for each command: arguments, directory, environment, streams, signals and
exit code are the command's own, as with `python -m opsctl`.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).parents[1]
_COMMAND = [sys.executable, "-m", "opsctl"]
_LONGEST = 1 << 20


class Process:
    """What is needed of `subprocess.Popen`."""

    def __init__(self, line: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self._line = line
        self.stdout, self.stderr = stdout, stderr
        self.pid = int(line.recv(32))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._line], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("opsctl", timeout or 0)
            # Nothing is said when the server itself was ended.
            self.returncode = int(self._line.recv(32) or -signal.SIGKILL)
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


class Warm:
    """The server, while the context lasts; what it has started is not ended with it."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="opsctl-warm-")
        self._path = str(Path(self._folder.name) / "socket")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", self._path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._server.stdout is not None
        self._server.stdout.readline()  # it listens
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._server:
            pass
        self._folder.cleanup()

    def popen(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
        stdout: Any,
        stderr: Any,
        text: bool = True,
    ) -> Process:
        """As `subprocess.Popen` of `python -m opsctl …`, with these options."""
        assert list(command[:3]) == _COMMAND and stdin == subprocess.DEVNULL and text
        out, ours = _stream(stdout)
        err, other = _stream(stderr)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect(self._path)
        message = {"words": list(command[3:]), "cwd": str(cwd), "env": dict(env)}
        given = out, out if err is None else err
        socket.send_fds(line, [json.dumps(message).encode()], [one or 0 for one in given])
        for end, stream in ((out, ours), (err, other)):
            if stream is not None and end is not None:
                os.close(end)
        return Process(line, ours, other)


def _stream(asked: Any) -> tuple[int | None, IO[str] | None]:
    """The descriptor that the command gets, and our end of a pipe."""
    if asked == subprocess.STDOUT:
        return None, None
    if asked == subprocess.PIPE:
        ours, theirs = os.pipe()
        return theirs, os.fdopen(ours, "r", encoding="utf-8")
    return asked.fileno(), None


def _serve(path: str) -> None:
    """Until the one who started it is gone."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    _read_all()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    gc.freeze()
    while True:
        waiting: list[Any] = [listener, 0]
        ready, _, _ = select.select(waiting, [], [])
        if 0 in ready:
            return
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _supervise(line)
            return
        line.close()
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _read_all() -> None:
    from opsctl.cli import COMMANDS

    for command in COMMANDS:
        import_module(f"opsctl.cli.{command.replace('-', '_')}")
    for name in ("boto3", "opsctl.cause.rank", "opsctl.snapshot.read", "opsctl.recorder"):
        import_module(name)


def _supervise(line: socket.socket) -> None:
    """In a process of its own: the command as its child, whose end it tells."""
    message, descriptors, _, _ = socket.recv_fds(line, _LONGEST, 2)
    asked = json.loads(message)
    child = os.fork()
    if child == 0:
        line.close()
        _become(asked, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    line.send(str(child).encode())
    _, status = os.waitpid(child, 0)
    line.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """The command; leaves by SystemExit, so Python ends as it always does."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in zip((nothing, *descriptors), (0, 1, 2), strict=True):
        os.dup2(source, target)
        os.close(source)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as Python opens them at its start
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["opsctl", *asked["words"]]
    from opsctl.__main__ import main

    main()


if __name__ == "__main__":
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _serve(sys.argv[1])
