"""A Parameter Store in memory with AWS's own manners, and several writers at it, step by step.

Create-only without Overwrite; unconditional with it; a deleted name cannot be made again for 30
seconds; pages of ten that may be empty; 4 KB a value; no `{{}}`; a limit for the account.
Sources: the API reference of PutParameter, GetParametersByPath and DeleteParameters.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from opsctl.aws import Caller, Clock
from tests.opsctl.snapshots import START


class AlreadyExists(ClientError):
    pass


class Killed(Exception):
    """The process was killed at this call: with -9, so that no call of it comes any more."""


def refused(code: str, operation: str = "PutParameter") -> ClientError:
    kind = AlreadyExists if code == "ParameterAlreadyExists" else ClientError
    metadata: Any = {"HTTPStatusCode": 400}
    return kind(
        {"Error": {"Code": code, "Message": f"({code})"}, "ResponseMetadata": metadata}, operation
    )


class Ssm:
    """`before` is called with the name of each operation; what it raises is the answer."""

    exceptions = SimpleNamespace(ParameterAlreadyExists=AlreadyExists, ClientError=ClientError)

    def __init__(self, *, limit: int = 10_000) -> None:
        self.values: dict[str, str] = {}
        self.deleted: dict[str, datetime] = {}
        self.time = START
        self.limit = limit
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda operation: None
        # Raised after the call has done its work: the answer is lost on its way.
        self.after: Callable[[str], None] = lambda operation: None

    def now(self) -> datetime:
        return self.time

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> Any:
        self._call("PutParameter")
        gone = self.deleted.get(Name)
        if Name in self.values and not Overwrite:
            raise refused("ParameterAlreadyExists")
        if gone is not None and self.time - gone < timedelta(seconds=30):
            raise refused("ParameterAlreadyExists")
        if len(Value.encode()) > 4096 or "{{" in Value or not Value:
            raise refused("ValidationException")
        if Name not in self.values and len(self.values) >= self.limit:
            raise refused("ParameterLimitExceeded")
        self.values[Name] = Value
        self.after("PutParameter")
        return {"Version": 1}

    def get_parameters(self, *, Names: Sequence[str]) -> Any:
        self._call("GetParameters")
        assert 1 <= len(Names) <= 10
        return {"Parameters": [self._one(name) for name in Names if name in self.values]}

    def delete_parameters(self, *, Names: Sequence[str]) -> Any:
        self._call("DeleteParameters")
        assert 1 <= len(Names) <= 10
        for name in Names:
            if self.values.pop(name, None) is not None:
                self.deleted[name] = self.time
        return {}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_parameters_by_path"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, *, Path: str, Recursive: bool) -> Iterator[Any]:
        assert Recursive
        self._call("GetParametersByPath")
        names = sorted(name for name in self.values if name.startswith(f"{Path}/"))
        for at in range(0, len(names), 10):
            yield {"Parameters": []}  # an empty page, although more follow
            yield {"Parameters": [self._one(name) for name in names[at : at + 10]]}

    def _one(self, name: str) -> Any:
        return {"Name": name, "Value": self.values[name], "LastModifiedDate": START}

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        self.before(operation)


class Hooked:
    """One writer's own way to the common store."""

    def __init__(self, ssm: Ssm, hook: Callable[[str], None]) -> None:
        self._ssm, self._hook = ssm, hook
        # What one writer reads side by side comes one after another here.
        self._one = threading.Lock()

    def now(self) -> datetime:
        return self._ssm.time

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._ssm, name)
        if name in ("exceptions", "values"):
            return attribute

        def call(**parameters: Any) -> Any:
            with self._one:
                self._hook(name)
                return attribute(**parameters)

        return attribute if name == "get_paginator" else call


class Writer:
    """What stands where `opsctl.aws.Clients` stands, for one of several writers."""

    region = "us-east-1"

    def __init__(self, ssm: Any, name: str = "ann", *, gone: Callable[[str], bool] | None = None):
        self.ssm = ssm
        self.name = name
        self.left: list[str] = []
        self.clock = Clock()
        self.caller = Caller(
            "update-tasks", host="laptop", process=name, gone=gone or (lambda one: False)
        )

    def who(self) -> str:
        return f"arn:aws:sts::1:assumed-role/ops/{self.name}"

    @contextmanager
    def briefly(self) -> Iterator[None]:
        yield


class Turns:
    """Several writers that take turns before each call, in an order that a test chooses.

    `order` names whose turn it is; when it ends, the rest run in turn. Between two turns exactly
    one writer moves, from one call to the next.
    """

    def __init__(self, order: Sequence[int], kill: dict[int, int] | None = None) -> None:
        self.order = list(order)
        self.kill = kill or {}
        self.condition = threading.Condition()
        self.waiting: dict[int, bool] = {}
        self.done: set[int] = set()
        self.dead: set[int] = set()
        self.turn: int | None = None
        self.steps: dict[int, int] = {}
        self.results: dict[int, Any] = {}

    def run(self, *work: Callable[[Callable[[str], None]], Any]) -> dict[int, Any]:
        """Each gets the hook that its own calls must pass. The results, or what was raised."""
        threads = [
            threading.Thread(target=self._one, args=(number, one), daemon=True)
            for number, one in enumerate(work)
        ]
        for thread in threads:
            thread.start()
        self._give_turns(len(work))
        for thread in threads:
            thread.join(10)
        return self.results

    def _one(self, number: int, work: Callable[[Callable[[str], None]], Any]) -> None:
        try:
            self.results[number] = work(lambda operation: self._step(number))
        except BaseException as error:
            self.results[number] = error
        with self.condition:
            self.done.add(number)
            self.turn = None
            self.condition.notify_all()

    def _step(self, number: int) -> None:
        if number in self.dead:
            raise Killed
        with self.condition:
            self.waiting[number] = True
            self.turn = None if self.turn == number else self.turn
            self.condition.notify_all()
            while self.turn != number:
                assert self.condition.wait(10), "no turn"
            self.waiting[number] = False
        self.steps[number] = self.steps.get(number, 0) + 1
        if self.kill.get(number) == self.steps[number]:
            self.dead.add(number)
            raise Killed

    def _give_turns(self, count: int) -> None:
        asked = 0
        while True:
            with self.condition:
                while self.turn is not None or any(
                    not self.waiting.get(one) and one not in self.done for one in range(count)
                ):
                    assert self.condition.wait(10), "a writer stands still"
                alive = [one for one in range(count) if one not in self.done]
                if not alive:
                    return
                chosen = self.order[asked] if asked < len(self.order) else asked
                asked += 1
                self.turn = alive[chosen % len(alive)]
                self.waiting[self.turn] = False
                self.condition.notify_all()
