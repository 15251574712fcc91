"""What AWS, or what is between us and AWS, can do to one call, put into botocore's own way."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any, Literal, TypeAlias, get_args

from botocore import exceptions
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.httpsession import URLLib3Session

from tests.hostile.odd import ODDS, Odd, changed

Kind: TypeAlias = Literal[
    "throttle", "500", "delay", "reset", "lost", "truncate", "foreign", "expired", "denied"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What ends a command; a closed terminal is a SIGHUP. After SIGKILL not one more call is made.
Ending: TypeAlias = Literal["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
ONCE, MINUTE, EVER = 0.0, 60.0, inf  # seconds
_DURATIONS = {ONCE: "once", MINUTE: "for a minute", EVER: "for ever"}
# A repetition cannot help against this one.
LASTING: frozenset[Kind] = frozenset({"denied"})
_CODES: Mapping[str, tuple[int, str]] = {
    "throttle": (400, "ThrottlingException"),
    "500": (500, "InternalFailure"),
    "expired": (400, "ExpiredTokenException"),
    "denied": (403, "AccessDeniedException"),
}
_CBOR = "application/cbor"


@dataclass(frozen=True, slots=True)
class Fault:
    """At the `at`-th call of an operation (`ecs DescribeServices`), once or from then on.

    Without an operation: at the `at`-th call of all, and then at every one of that operation.
    """

    call: str
    at: int
    kind: Kind | Ending | Odd
    lasts: float = ONCE
    seed: str = ""  # chooses the place of an odd answer

    def __str__(self) -> str:
        return f"{self.call or 'call'} {self.at} {self.kind} {_DURATIONS[self.lasts]}"


class Clock:
    """Runs ahead by each wait, as the sandbox's own fast time does: nobody waits for long."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> float:
        return time.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(min(seconds / 100, 0.01))  # what the sandbox does needs some time, too


class Killed(BaseException):
    """The process is gone, as far as AWS can tell."""


class Wire:
    """Between the clients and AWS. `calls` counts what was called; `struck` what the fault hit."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.clock = Clock()
        self.calls = Counter[str]()
        self.struck = 0
        self.target = fault.call if fault else ""
        self._since: float | None = None
        self._lock = threading.Lock()
        self._http = URLLib3Session(timeout=20)

    def register(self, session: Any) -> None:
        session.events.register("before-send", self._send)

    def close(self) -> None:
        """A thread that a command left behind meets no fault, and no signal, any more."""
        with self._lock:
            self.fault = None
        self._http.close()

    def _send(self, request: AWSPreparedRequest, event_name: str = "", **_: Any) -> Any:
        service, operation = event_name.split(".")[1:]
        name = f"{service} {operation}"
        with self._lock:
            self.calls[name] += 1
            fault = self.fault
            if fault is None or not self._hits(fault, name):
                return None
            self.struck += 1
        return self._strike(fault.kind, request)

    def _hits(self, fault: Fault, name: str) -> bool:
        if self.struck and fault.kind == "SIGKILL":
            return True
        number = self.calls[name] if fault.call else self.calls.total()
        if self._since is None:
            if number < fault.at or fault.call not in ("", name):
                return False
            self._since, self.target = self.clock.slept, name
            return True
        return name == self.target and self.clock.slept - self._since < fault.lasts

    def _strike(self, kind: Kind | Ending | Odd, request: AWSPreparedRequest) -> Any:
        if kind == "SIGKILL":
            if threading.current_thread() is threading.main_thread():
                raise Killed
            if self.struck == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
            raise exceptions.ConnectionClosedError(endpoint_url=request.url)
        if kind in ("SIGTERM", "SIGHUP", "SIGINT"):
            os.kill(os.getpid(), signal.Signals[kind])
            return None
        if kind == "delay":
            time.sleep(0.05)
            return None
        if kind == "reset":
            raise exceptions.ConnectionClosedError(endpoint_url=request.url)
        if kind == "lost":
            # AWS did it, and nobody heard of it.
            self._http.send(request)
            raise exceptions.ConnectionClosedError(endpoint_url=request.url)
        if kind == "truncate":
            answer = self._http.send(request)
            return _answer(request, answer.status_code, dict(answer.headers), answer.content[:-9])
        if kind in ODDS:
            answer = self._http.send(request)
            headers = dict(answer.headers)
            dice = Random(self.fault.seed if self.fault else "")
            body = changed(answer.content, headers.get("content-type", ""), kind, dice)
            return _answer(request, answer.status_code, headers, body)
        if kind == "foreign":
            page = b"<html><body>Please log in.</body></html>"
            return _answer(request, 200, {"content-type": "text/html"}, page)
        status, code = _CODES[kind]
        return _answer(request, status, *_refusal(request, code))


def _answer(
    request: AWSPreparedRequest, status: int, headers: Mapping[str, str], body: bytes
) -> AWSResponse:
    kept: Any = HeadersDict()  # the stubs want another class
    for name, value in headers.items():
        if name.lower() != "content-length":
            kept[name] = value
    return AWSResponse(request.url, status, kept, _Raw(body))


class _Raw:
    """What urllib3 gives, as far as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


def _refusal(request: AWSPreparedRequest, code: str) -> tuple[dict[str, str], bytes]:
    """In the manner of the request's own protocol."""
    kind = _text(request.headers.get("Content-Type", ""))
    text = "injected by a test"
    if _text(request.headers.get("smithy-protocol", "")) == "rpc-v2-cbor":
        fields = {"__type": code, "message": text}
        body = bytes([0xA0 + len(fields)]) + b"".join(
            _cbor(word) for pair in fields.items() for word in pair
        )
        return {"content-type": _CBOR, "smithy-protocol": "rpc-v2-cbor"}, body
    if "json" in kind:
        headers = {"content-type": kind}
        return headers, json.dumps({"__type": code, "message": text}).encode()
    short = code.removesuffix("Exception")
    error = f"<Error><Type>Sender</Type><Code>{short}</Code><Message>{text}</Message></Error>"
    if "Action=" not in _text(request.body or b"")[:4000] or ".ec2." in request.url:
        return {"content-type": "text/xml"}, error.encode()
    whole = f"<ErrorResponse>{error}<RequestId>x</RequestId></ErrorResponse>"
    return {"content-type": "text/xml"}, whole.encode()


def _cbor(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 256
    return (bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data


def _text(value: str | bytes | Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
