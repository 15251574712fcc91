"""Faults on the wire: which calls fail, how, how often. Answers have each protocol's own shape.

They are planned by `POST /_sandbox/faults` (a JSON list of rules, which replaces the last), or by
the file `faults.json` in the sandbox's directory, which is read when it changes. The same seed and
calls give the same faults.
"""

import asyncio
import fnmatch
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from opsctl_sandbox.faults import refusals
from opsctl_sandbox.wire.http import Answer

log = logging.getLogger(__name__)

Kind = Literal["throttle", "error", "delay", "reset", "truncate", "expired", "denied", "clock"]


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
    status: int | None = None

    @classmethod
    def read(cls, content: Any) -> "Fault":
        """Parse a rule. Raises ValueError that says what is wrong."""
        if not isinstance(content, Mapping):
            raise ValueError(f"a fault is an object with a kind, not {json.dumps(content)}")
        known = {field.name for field in fields(cls)}
        if unknown := set(content) - known:
            raise ValueError(f"unknown key {', '.join(sorted(unknown))} in a fault")
        if content.get("kind") not in get_args(Kind):
            raise ValueError(f"a fault's kind is one of {', '.join(get_args(Kind))}")
        for name, value in content.items():
            if name in _RULES and not _RULES[name][1](value):
                raise ValueError(f"a fault's {name} is {_RULES[name][0]}, not {json.dumps(value)}")
        return cls(**content)

    def matches(self, name: str) -> bool:
        return fnmatch.fnmatchcase(name.lower(), self.operation.lower())


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _seconds(value: Any) -> bool:
    """Accept any number: a clock may be behind, and a negative delay is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str)


_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "operation": ("a text such as ecs:Describe*", _text),
    "times": ("a whole number or null", lambda v: v is None or (_whole(v) and v >= 0)),
    "skip": ("a whole number", lambda v: _whole(v) and v >= 0),
    "probability": ("a number from 0 to 1", lambda v: _amount(v) and v <= 1),
    "seconds": ("a number of seconds", _seconds),
    "code": ("a text", _text),
    "message": ("a text", _text),
    "status": ("an HTTP status of 400 or more", lambda v: _whole(v) and 400 <= v <= 599),
}


@dataclass(eq=False)
class _Rule:
    """A fault, how many calls matched and how many failed."""

    fault: Fault
    seen: int = 0
    struck: int = 0


class Dropped(Exception):
    """The connection must be cut; with `halfway`, after the first half of the answer."""

    def __init__(self, *, halfway: bool) -> None:
        super().__init__()
        self.halfway = halfway
        self.answer: Answer | None = None


class Faults:
    """The active rules, and how often each has struck."""

    def __init__(self, file: Path, *, seed: int = 0) -> None:
        self._file = file
        self._stamp = 0
        self._unreadable = ""
        self._seed = seed
        self._random = random.Random(seed)
        self._rules: tuple[_Rule, ...] = ()

    def plan(self, content: Any) -> None:
        """Replace the rules and reset their random source. Raises ValueError."""
        if not isinstance(content, list):
            raise ValueError("faults are planned as a list of rules; an empty one ends them")
        rules = tuple(_Rule(Fault.read(one)) for one in content)
        self._rules, self._random = rules, random.Random(self._seed)
        self._unreadable = ""

    def state(self) -> list[dict[str, Any]]:
        """Return the rules, each with the number of calls that failed.

        Raises ValueError while the file cannot be read; the previous rules then stay active.
        """
        self._refresh()
        if self._unreadable:
            raise ValueError(self._unreadable)
        return [{**asdict(rule.fault), "struck": rule.struck} for rule in self._rules]

    async def apply(self, service: str, operation: str, protocol: str) -> None:
        """Apply the planned faults to this call. Raises `Refused` or `Dropped`."""
        self._refresh()
        name = f"{service}:{operation}"
        # The rules when the call began: others may be planned during a delay.
        for rule in self._rules:
            fault = rule.fault
            if not fault.matches(name) or not self._strikes(rule):
                continue
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
                continue
            if fault.kind == "clock":
                continue
            if fault.kind == "reset" or fault.kind == "truncate":
                raise Dropped(halfway=fault.kind == "truncate")
            raise refusals.refusal(
                fault.kind,
                protocol,
                code=fault.code,
                message=fault.message,
                status=fault.status,
            )

    def skew(self, name: str) -> float:
        """Return by how many seconds AWS's clock is ahead of this machine's, for
        `service:Operation`.
        """
        self._refresh()
        clocks = [r.fault for r in self._rules if r.fault.kind == "clock"]
        return sum(fault.seconds for fault in clocks if fault.matches(name))

    def _strikes(self, rule: _Rule) -> bool:
        fault = rule.fault
        rule.seen += 1
        if rule.seen <= fault.skip:
            return False
        if fault.times is not None and rule.struck >= fault.times:
            return False
        if self._random.random() >= fault.probability:
            return False
        rule.struck += 1
        return True

    def _refresh(self) -> None:
        try:
            stamp = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            if self._stamp:  # the file was deleted: its rules end
                self._stamp = 0
                self.plan([])
            return
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.plan(json.loads(self._file.read_text()))
        except json.JSONDecodeError as error:
            self._unreadable = f"{self._file.name}:{error.lineno}:{error.colno} is not JSON"
            log.warning("%s", self._unreadable)
        except ValueError as error:
            self._unreadable = f"{self._file.name}: {error}"
            log.warning("%s", self._unreadable)
