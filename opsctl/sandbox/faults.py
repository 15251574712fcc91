"""Faults on the wire: which calls fail, how, how often. The answers have each protocol's own shape.

Planned by `POST /_sandbox/faults` (a JSON list of rules, which replaces the last) or by the file
`faults.json` of the sandbox's directory, read when it changes. Same seed, same calls: same faults.
"""

import asyncio
import fnmatch
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from opsctl.sandbox.calls import Refused
from opsctl.sandbox.wire.http import Answer

Kind = Literal["throttle", "error", "delay", "reset", "truncate", "expired", "denied"]


@dataclass(frozen=True)
class Fault:
    """`operation` is `service:Operation` with wildcards (`logs:*`, `*:Describe*`).

    The first `skip` matching calls pass, then `times` fail (None: all), each with `probability`.
    """

    kind: Kind
    operation: str = "*"
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seconds: float = 1.0
    code: str = ""
    message: str = ""
    status: int = 500

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Fault":
        """Raises ValueError in words."""
        known = {field.name for field in fields(cls)}
        if unknown := set(content) - known:
            raise ValueError(f"unknown key {', '.join(sorted(unknown))} in a fault")
        if content.get("kind") not in get_args(Kind):
            raise ValueError(f"a fault's kind is one of {', '.join(get_args(Kind))}")
        return cls(**content)

    def matches(self, name: str) -> bool:
        return fnmatch.fnmatchcase(name.lower(), self.operation.lower())


class Dropped(Exception):
    """The connection is to be cut, after the first half of the answer when `halfway`."""

    def __init__(self, *, halfway: bool) -> None:
        super().__init__()
        self.halfway = halfway
        self.answer: Answer | None = None


class Faults:
    """The rules in force and how often each has struck."""

    def __init__(self, file: Path, *, seed: int = 0) -> None:
        self._file = file
        self._stamp = 0
        self._random = random.Random(seed)
        self._rules: tuple[Fault, ...] = ()
        self._seen: list[int] = []
        self._struck: list[int] = []

    def plan(self, content: Sequence[Mapping[str, Any]]) -> None:
        """Replace the rules. Raises ValueError."""
        rules = tuple(Fault.read(one) for one in content)
        self._rules = rules
        self._seen, self._struck = [0] * len(rules), [0] * len(rules)

    def state(self) -> list[dict[str, Any]]:
        """The rules, each with the number of calls it struck."""
        rules = zip(self._rules, self._struck, strict=True)
        return [{**vars(rule), "struck": struck} for rule, struck in rules]

    async def meet(self, service: str, operation: str) -> None:
        """Let the planned faults happen to this call. Raises `Refused` or `Dropped`."""
        self._refresh()
        name = f"{service}:{operation}"
        for index, fault in enumerate(self._rules):
            if not fault.matches(name) or not self._strikes(index, fault):
                continue
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
                continue
            raise _failure(fault, service)

    def _strikes(self, index: int, fault: Fault) -> bool:
        self._seen[index] += 1
        if self._seen[index] <= fault.skip:
            return False
        if fault.times is not None and self._struck[index] >= fault.times:
            return False
        if self._random.random() >= fault.probability:
            return False
        self._struck[index] += 1
        return True

    def _refresh(self) -> None:
        try:
            stamp = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp != self._stamp:
            self._stamp = stamp
            self.plan(json.loads(self._file.read_text()))


def _failure(fault: Fault, service: str) -> Exception:
    match fault.kind:
        case "throttle":
            # Query services say Throttling, JSON ones ThrottlingException.
            code = "ThrottlingException" if service in _JSON_SERVICES else "Throttling"
            return Refused(fault.code or code, fault.message or "Rate exceeded")
        case "expired":
            text = "The security token included in the request is expired"
            return Refused(fault.code or _expired(service), text, status=400)
        case "denied":
            text = fault.message or "User is not authorized to perform this action"
            return Refused(fault.code or _denied(service), text, status=400)
        case "error":
            text = fault.message or "We encountered an internal error"
            return Refused(fault.code or "InternalFailure", text, status=fault.status)
        case _:
            return Dropped(halfway=fault.kind == "truncate")


def _expired(service: str) -> str:
    if service == "ec2":
        return "RequestExpired"
    return "ExpiredTokenException" if service in _JSON_SERVICES else "ExpiredToken"


def _denied(service: str) -> str:
    if service == "ec2":
        return "UnauthorizedOperation"
    return "AccessDeniedException" if service in _JSON_SERVICES else "AccessDenied"


_JSON_SERVICES = frozenset({"ecs", "ecr", "logs", "ssm", "secretsmanager", "servicequotas"})
