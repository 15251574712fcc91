"""What a task's process writes is read to its end."""

import asyncio
import sys

from opsctl_sandbox.host.processes import Process

PROGRAM = 'print("first"); print("x" * 300_000); print("last")'


def test_a_line_that_is_too_long_stops_neither_the_process_nor_what_it_writes_next() -> None:
    async def play() -> list[str]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE
        )
        process = Process(child)
        async with asyncio.timeout(30):
            lines = [line async for line in process.lines()]
            assert await process.wait() == (0, "")
        return lines

    lines = asyncio.run(play())
    assert (lines[0], lines[-1]) == ("first", "last")
