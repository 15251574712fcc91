"""Lines on their way to CloudWatch Logs: cut and batched as PutLogEvents takes them."""

import asyncio
from typing import Any, cast

from opsctl_sandbox.host.journal import Journal
from opsctl_sandbox.wire.local_client import LocalClient


class Logs:
    """Takes what the API takes, and remembers it."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    async def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        if operation == "PutLogEvents":
            events = given["logEvents"]
            assert len(events) <= 10_000
            assert sum(len(event["message"].encode()) + 26 for event in events) <= 1_048_576
            self.batches.append(events)
        return {}


def flushed(*lines: str) -> Logs:
    logs = Logs()
    journal = Journal(cast(LocalClient, logs))
    for line in lines:
        journal.write(("group", "stream"), line)
    asyncio.run(journal.flush())
    return logs


def test_more_than_one_call_takes_goes_in_several_and_in_order() -> None:
    logs = flushed(*map(str, range(25_000)))

    assert [event["message"] for batch in logs.batches for event in batch] == [
        str(number) for number in range(25_000)
    ]
    assert len(logs.batches) == 3


def test_a_line_that_is_too_long_is_cut_and_nothing_of_it_lost() -> None:
    logs = flushed("é" * 3_000_000)

    pieces = [event["message"] for batch in logs.batches for event in batch]
    assert "".join(pieces) == "é" * 3_000_000
    assert max(map(len, pieces)) == 16 * 1024
