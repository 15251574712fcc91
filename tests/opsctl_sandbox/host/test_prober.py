"""What a health check says of a target that is still starting."""

import asyncio
import contextlib

from opsctl_sandbox.host import prober
from opsctl_sandbox.host.prober import Check


def test_a_target_that_starts_is_not_failed_before_it_had_the_time_for_it() -> None:
    now, seen = 0.0, []
    report = prober.once_up(lambda ok, *_: seen.append(ok), within=6.0, clock=lambda: now)
    report(False, "Target.FailedHealthChecks", "")
    assert seen == []
    now = 6.0
    report(False, "Target.FailedHealthChecks", "")
    assert seen == [False]


def test_one_that_was_up_is_failed_at_once() -> None:
    seen: list[bool] = []
    report = prober.once_up(lambda ok, *_: seen.append(ok), within=6.0, clock=lambda: 0.0)
    report(True, "", "")
    report(False, "Target.Timeout", "")
    assert seen == [True, False]


def test_a_health_check_that_was_changed_counts_from_the_next_time() -> None:
    # `ecs up` with another path left the old one in force for tasks that ran.
    checks = [Check(0.0, 1.0), Check(0.0, 1.0), Check(60.0, 1.0, "/other")]

    async def main() -> None:
        probing = prober.probe(lambda: None, lambda: checks.pop(0), lambda *_: None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(probing, 0.2)

    asyncio.run(main())
    assert checks == []


def test_another_status_is_reported_as_the_load_balancer_words_it() -> None:
    # The event of ECS said only that checks failed, so `why` spoke of a refused connection.
    results: list[tuple[bool, str, str]] = []

    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.0 404 Not Found\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            where = server.sockets[0].getsockname()
            check = Check(60.0, 1.0, "/nope")
            probing = prober.probe(lambda: where, lambda: check, lambda *one: results.append(one))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(probing, 0.3)

    asyncio.run(main())
    words = "Health checks failed with these codes: [404]"
    assert results == [(False, "Target.ResponseCodeMismatch", words)]


def test_a_probe_that_is_cancelled_ends_whatever_it_was_doing() -> None:
    # Python 3.11's `wait_for` swallows a cancellation that arrives with the answer. Such a probe
    # went on, and failed every later task at the same port.
    async def main() -> list[int]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        left = []
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()[:2]
            for steps in range(40):
                probing = asyncio.ensure_future(
                    prober.probe(lambda: address, lambda: Check(60.0, 1.0), lambda *_: None)
                )
                for _ in range(steps):
                    await asyncio.sleep(0)
                probing.cancel()
                _, pending = await asyncio.wait([probing], timeout=0.5)
                for one in pending:
                    left.append(steps)
                    one.cancel()
        return left

    assert asyncio.run(main()) == []
