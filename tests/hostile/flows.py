"""Run a whole command in this process against the sandbox, over a wire that can fail."""

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3.session

from opsctl.aws import Clients, Patience
from opsctl.cli import process, run_command
from opsctl.cli.options import Invocation
from opsctl.snapshot.read import Reader
from opsctl.snapshot.snapshot import Names
from tests.hostile.faults import Fault, Wire


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left: its exit code, all that it printed, and what it called."""

    code: int
    said: str
    calls: Counter[str]
    struck: int


class Wired(Invocation):
    """A command line whose clients call over `wire`, and wait for nobody."""

    wire: Wire

    @cached_property
    def clients(self) -> Clients:
        return self._connect(Patience(20, sleep=lambda seconds: None, tell=self._tell_silence))

    @cached_property
    def quick_reader(self) -> Reader:
        clients = self._connect(Patience(0, sleep=lambda seconds: None))
        return Reader(clients, Names.of(self.config), patient=False)

    def _connect(self, patience: Patience) -> Clients:
        return Clients(
            self._open(), self._open, "us-east-1",
            caller=process.caller(self.why), patience=patience,
            debug=self.console.debug if self.debug else None,
        )  # fmt: skip

    def _open(self) -> boto3.session.Session:
        session = boto3.session.Session()
        self.wire.register(session)
        return session


def run(words: Sequence[str], fault: Fault | None = None) -> Ended:
    """Both streams are read together. Nothing but a code may come out."""
    wire = Wire(fault)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream), closing(wire):
        invocation, rest = Wired.parse(["--debug", *words], os.environ)
        invocation.wire = wire
        code = run_command(invocation, rest)
        stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return Ended(code, stream.buffer.getvalue().decode(), wire.calls, wire.struck)


def calls_of(ended: Ended, most: int = 2) -> list[tuple[str, int]]:
    """Each call and its number; the first ones of an operation stand for the rest."""
    return [
        (call, number)
        for call, count in sorted(ended.calls.items())
        for number in range(1, min(count, most) + 1)
    ]


def client(service: str, variables: Mapping[str, str]) -> Any:
    make: Any = boto3.client
    return make(service, endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1")
