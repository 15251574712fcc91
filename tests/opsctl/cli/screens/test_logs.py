"""What `logs tail` prints of the past, and of what comes while it reads."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.logs import LogsScreen
from opsctl.logs.events import LogEvent, Notice


class Reading:
    """Three lines of the past, then one that came meanwhile."""

    def run(self) -> Iterator[Any]:
        yield [event(1), event(2), event(3)]
        yield Notice("caught-up", None, "")
        yield [event(4)]


def event(second: int) -> LogEvent:
    return LogEvent(second * 1000, second * 1000, "app", "s", str(second), f"line {second}")


@pytest.mark.parametrize(
    ("following", "last", "printed"),
    [(True, 2, "2 3 4"), (False, 2, "3 4"), (False, None, "1 2 3 4"), (True, None, "1 2 3 4")],
)
def test_who_follows_gets_the_last_lines_and_what_comes_others_only_the_last(
    following: bool, last: int | None, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    LogsScreen(
        Console(json=False, plain=True),
        cast(Any, Reading()),
        write=lambda block: block[0].message,
        admits=None,
        last=last,
        following=following,
        bookmark=None,
        explain=lambda notice: [],
    ).run()
    assert capsys.readouterr().out.replace("line ", "").split() == printed.split()
