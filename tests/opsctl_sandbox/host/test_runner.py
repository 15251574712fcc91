"""Copies are started one after another, shared beyond the limit, and always answered for."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.cluster.values import TaskDefinition
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.host.runner import Outcome, Runner, Usage


class Stub:
    """A copy without anything behind it, that ends when it is told to."""

    def __init__(self, name: str) -> None:
        self.key = name
        self.within: float | None = None
        self.over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    @property
    def ended(self) -> bool:
        return self.over.done()

    async def lines(self) -> AsyncIterator[str]:
        yield f"{self.key} is here"
        await self.over

    async def wait(self) -> tuple[int, str]:
        return await self.over

    async def end(self, within: float) -> None:
        self.within = within
        if not self.over.done():
            self.over.set_result((0, ""))

    async def usage(self) -> Usage | None:
        return None


class Stubs:
    """Launches stubs; while `gate` is cleared a launch waits."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.launched: list[Stub] = []
        self.refuses = ""
        self.closed = False

    async def launch(self, intent: StartTask, ports: Mapping[int, int]) -> Stub:
        await self.gate.wait()
        if self.refuses:
            raise SandboxError(self.refuses)
        self.launched.append(Stub(intent.task))
        return self.launched[-1]

    async def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, limit: int = 8) -> None:
        self.stubs = Stubs()
        self.outcomes: list[tuple[str, ...]] = []
        outcome = Outcome(
            started=lambda task: self.outcomes.append(("started", task)),
            exited=lambda task, code, reason: self.outcomes.append(
                ("exited", task, str(code), reason)
            ),
            refused=lambda task, reason: self.outcomes.append(("refused", task, reason)),
            wrote=lambda task, line: self.outcomes.append(("wrote", task, line)),
        )
        self.runner = Runner(self.stubs, limit=limit, outcome=outcome)

    def start(self, *tasks: str) -> None:
        definition = TaskDefinition("web:1", "web", 1, 128, 128, (), {})
        for task in tasks:
            self.runner.start(StartTask(task, "i-1", definition, ()))

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


def test_a_started_task_is_reported_and_what_it_writes_is_its_own() -> None:
    async def play() -> None:
        bench = Bench()
        bench.start("a")
        await bench.settle()
        assert bench.outcomes == [("started", "a"), ("wrote", "a", "a is here")]
        await bench.runner.close()
        assert bench.stubs.closed

    asyncio.run(play())


def test_beyond_half_the_limit_tasks_share_and_the_last_one_ends_the_copy() -> None:
    async def play() -> None:
        bench = Bench(limit=4)
        bench.start("a", "b", "c")
        await bench.settle()
        assert [one.key for one in bench.stubs.launched] == ["a", "b"]
        assert ("started", "c") in bench.outcomes

        bench.runner.stop("a", 5.0)
        await bench.settle()
        assert bench.outcomes[-1] == ("exited", "a", "0", "")
        assert bench.stubs.launched[0].within is None, "another task still needs it"
        bench.runner.stop("c", 5.0)
        await bench.settle()
        assert bench.stubs.launched[0].within == 5.0
        assert bench.outcomes[-1] == ("exited", "c", "0", "")
        await bench.runner.close()

    asyncio.run(play())


def test_a_task_stopped_before_its_turn_is_never_started() -> None:
    async def play() -> None:
        bench = Bench()
        bench.stubs.gate.clear()
        bench.start("a", "b")
        await bench.settle()
        bench.runner.stop("b", 1.0)
        bench.stubs.gate.set()
        await bench.settle()
        assert [one.key for one in bench.stubs.launched] == ["a"]
        assert ("exited", "b", "0", "") in bench.outcomes
        await bench.runner.close()

    asyncio.run(play())


def test_a_task_stopped_while_it_starts_is_ended_once_it_has_started() -> None:
    async def play() -> None:
        bench = Bench()
        bench.stubs.gate.clear()
        bench.start("a")
        await bench.settle()
        bench.runner.stop("a", 2.0)
        bench.stubs.gate.set()
        await bench.settle()
        assert bench.stubs.launched[0].within == 2.0
        assert bench.outcomes[-1] == ("exited", "a", "0", "")
        await bench.runner.close()

    asyncio.run(play())


def test_a_copy_that_cannot_be_started_refuses_each_of_its_tasks() -> None:
    async def play() -> None:
        bench = Bench(limit=2)
        bench.stubs.refuses = "CannotPullContainerError: gone"
        bench.start("a", "b")
        await bench.settle()
        assert bench.outcomes == [
            ("refused", "a", "CannotPullContainerError: gone"),
            ("refused", "b", "CannotPullContainerError: gone"),
        ]
        await bench.runner.close()

    asyncio.run(play())


def test_a_copy_that_ends_ends_each_of_its_tasks_with_its_code_and_reason() -> None:
    async def play() -> None:
        bench = Bench(limit=2)
        bench.start("a", "b")
        await bench.settle()
        bench.stubs.launched[0].over.set_result((137, "OutOfMemoryError"))
        await bench.settle()
        assert bench.outcomes[-2:] == [
            ("exited", "a", "137", "OutOfMemoryError"),
            ("exited", "b", "137", "OutOfMemoryError"),
        ]
        assert bench.runner.running() == []
        await bench.runner.close()

    asyncio.run(play())
