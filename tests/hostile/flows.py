"""Run a whole command in this process against the sandbox, over a wire that can fail."""

import io
import itertools
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3.session
import botocore.loaders
import botocore.session

from opsctl.aws import Caller, Clients, Patience
from opsctl.cli import Terminated, run_command, terminate
from opsctl.cli.options import Invocation
from opsctl.snapshot.read import Reader
from opsctl.snapshot.snapshot import Names
from tests.end_to_end.place import require_hints
from tests.hostile.faults import KINDS, Fault, Killed, Wire

_NUMBERS = itertools.count(1)
_MODELS: Any = botocore.loaders.create_loader()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left: its exit code, all that it printed, and what it called.

    `target` is the operation that the fault hit.
    """

    code: int
    said: str
    calls: Counter[str]
    struck: int
    target: str

    @property
    def told(self) -> str:
        """Without what only `--debug` shows."""
        return "\n".join(line for line in self.said.splitlines() if line[:7] != "debug: ")


class Wired(Invocation):
    """A command line whose clients call over `wire`, and wait for nobody."""

    wire: Wire

    @cached_property
    def clients(self) -> Clients:
        patience = Patience(sleep=self.wire.clock.sleep, tell=self._tell_silence)
        return self._connect(patience)

    @cached_property
    def quick_reader(self) -> Reader:
        clients = self._connect(Patience(0, sleep=self.wire.clock.sleep))
        return Reader(clients, Names.of(self.config), patient=False)

    def _connect(self, patience: Patience) -> Clients:
        return Clients(
            self._open(), self._open, "us-east-1",
            caller=_caller(), patience=patience,
            debug=self.console.debug if self.debug else None,
        )  # fmt: skip

    def _open(self) -> boto3.session.Session:
        session = boto3.session.Session(botocore_session=_session())
        self.wire.register(session)
        return session


def _session() -> Any:
    """A session of its own, which does not read botocore's models from the disk again."""
    session: Any = botocore.session.get_session()
    session.register_component("data_loader", _MODELS)
    return session


def killed(number: int, frame: object) -> None:
    raise Killed


def _caller() -> Caller:
    """A process of its own each time, as on a command line; all the others have ended."""
    name = f"run {next(_NUMBERS)}"
    return Caller(host="here", process=name, gone=lambda process: process != name)


def run(words: Sequence[str], fault: Fault | None = None, typed: str = "") -> Ended:
    """Both streams are read together. Nothing but a code may come out, and hints to paste."""
    wire = Wire(fault)
    kept = tempfile.TemporaryFile()  # noqa: SIM115  # what is asked for its number must have one
    stream = io.TextIOWrapper(kept, encoding="utf-8", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream), process(typed), closing(wire):
        invocation, rest = Wired.parse(["--debug", *words], os.environ)
        invocation.wire = wire
        invocation.sleep, invocation.clock = wire.clock.sleep, wire.clock.now
        try:
            code = run_command(invocation, rest)
        except Terminated as end:
            code = 128 + end.number
        except Killed:
            code = -signal.SIGKILL
        except Exception:
            traceback.print_exc()
            code = 1
        stream.flush()
    kept.seek(0)
    said = kept.read().decode()
    stream.close()
    if code in (128 + signal.SIGINT, 128 + signal.SIGTERM) and (not fault or fault.kind in KINDS):
        raise KeyboardInterrupt  # somebody ends the tests, not a command
    ended = Ended(code, said, wire.calls, wire.struck, wire.target)
    require_hints("", ended.told, words, os.environ, Path.cwd())
    return ended


@contextmanager
def process(typed: str) -> Iterator[None]:
    """What `main` makes of signals, and somebody's input."""
    handlers: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: terminate,
        signal.SIGHUP: terminate,
        signal.SIGUSR1: killed,
    }
    before = [(number, signal.signal(number, handler)) for number, handler in handlers.items()]
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(typed.encode()))
    try:
        yield
    finally:
        sys.stdin = stdin
        for number, handler in before:
            signal.signal(number, handler)
        # A thread that a killed command left behind may still say that it was killed.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def calls_of(ended: Ended, most: int = 2) -> list[tuple[str, int]]:
    """Each call and its number; the first ones of an operation stand for the rest."""
    return [
        (call, number)
        for call, count in sorted(ended.calls.items())
        for number in range(1, min(count, most) + 1)
    ]


def client(service: str, variables: Mapping[str, str]) -> Any:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    return _client(service, *(variables[name] for name in names))


@cache
def _client(service: str, key: str, secret: str, endpoint: str) -> Any:
    """Made once: it costs more than what is asked of it."""
    # A session of its own: boto3's keeps the credentials of whoever asked first.
    make: Any = boto3.session.Session(key, secret, botocore_session=_session()).client
    return make(service, endpoint_url=endpoint, region_name="us-east-1")
