"""Check real targets by a TCP connection or an HTTP request, as the target group says."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from opsctl_sandbox.host.balancer import Address

# Whether it passed, else the reason code and the load balancer's words for it.
Report = Callable[[bool, str, str], None]


@dataclass(frozen=True)
class Check:
    """`interval` and `timeout` are in wall seconds; with a path it is an HTTP check."""

    interval: float
    timeout: float
    path: str = ""


async def probe(
    address: Callable[[], Address | None],
    current: Callable[[], Check],
    report: Report,
) -> None:
    """Check until the task is cancelled. `report` gets each result.

    `current` is asked each time: somebody may have changed the target group.
    """
    while True:
        where, check = address(), current()
        if where is None:
            report(False, "Target.FailedHealthChecks", "")
        else:
            report(*await _once(where, check))
        await asyncio.sleep(check.interval)


def once_up(
    report: Report,
    *,
    within: float,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Return a `report` that ignores failures until a check has succeeded or `within` seconds have
    passed, the target's time to start.
    """
    began, up = clock(), False

    def passed_on(ok: bool, reason: str, words: str) -> None:
        nonlocal up
        up = up or ok or clock() - began >= within
        if up:
            report(ok, reason, words)

    return passed_on


async def _once(where: Address, check: Check) -> tuple[bool, str, str]:
    try:
        # Not `wait_for`: in Python 3.11 it swallows a cancellation that arrives with the answer.
        async with asyncio.timeout(check.timeout):
            status = await _ask(where, check.path)
    except TimeoutError:
        return False, "Target.Timeout", ""
    except OSError:
        return False, "Target.FailedHealthChecks", ""
    if status is not None and not 200 <= status < 400:
        words = f"Health checks failed with these codes: [{status}]"
        return False, "Target.ResponseCodeMismatch", words
    return True, "", ""


async def _ask(where: Address, path: str) -> int | None:
    reader, writer = await asyncio.open_connection(*where)
    try:
        if not path:
            return None
        writer.write(f"GET {path} HTTP/1.0\r\nHost: health\r\n\r\n".encode())
        line = (await reader.readline()).split()
        return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
