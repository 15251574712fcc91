"""docs/pictures: real screens as SVG, drawn from made-up snapshots by the screens' own code."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from opsctl.cause import rank
from opsctl.cause.history import History
from opsctl.cause.looks import STATUS
from opsctl.cli.screens import causes, status
from opsctl.cli.screens.console import Console
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.cache import Cache, CacheNode
from opsctl.snapshot.cache_use import CacheUse
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.instances import ContainerInstance, Group, GroupInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import NEW, OLD, START, deployment, service, snapshot, stack

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDTH = 84
# rich's own format loads fonts from the network.
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}">
<style>.{unique_id}-matrix {{font-family: ui-monospace, monospace; font-size: {char_height}px; \
line-height: {line_height}px}} .{unique_id}-title {{font-family: sans-serif; font-size: 18px}}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" \
height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def pictures() -> dict[Path, str]:
    now = _healthy()
    fine = status.screen(now, [], _console(), width=WIDTH, lines=40)
    broken = _failed()
    ranked = rank.rank(History.of([broken]))
    wrong = status.screen(broken, ranked, _console(), width=WIDTH, lines=40)
    with _wide():
        blocks = [list(causes.block(_console(), one, n)) for n, one in enumerate(ranked[:2], 1)]
    why = [line for block in blocks for line in block]
    return {
        FOLDER / "status.svg": _drawn("opsctl status", fine),
        FOLDER / "wrong.svg": _drawn("opsctl status", wrong),
        FOLDER / "why.svg": _drawn("opsctl why", why),
    }


@contextmanager
def _wide() -> Iterator[None]:
    """Causes are as wide as the terminal, which this is not."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def _console() -> Console:
    console = Console()
    console.terminal = True
    return console


def _drawn(command: str, lines: Iterable[str]) -> str:
    from rich import console, terminal_theme, text

    drawing = console.Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    drawing.print(text.Text(f"$ {command}\n", style="bold"), end="")
    for line in lines:
        drawing.print(text.Text.from_ansi(line.rstrip()), soft_wrap=True)
    svg = drawing.export_svg(
        title=command, code_format=_FORMAT, unique_id=command.replace(" ", "-"),
        theme=terminal_theme.DIMMED_MONOKAI,
    )  # fmt: skip
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _instances() -> Iterator[ContainerInstance]:
    for number, zone in enumerate("ab"):
        yield ContainerInstance(
            f"arn:{number}", f"i-0{number}c4f1", "ACTIVE", True, 2048, 6000, whole_cpu=4096,
            whole_memory=15000, zone=f"eu-central-1{zone}", running=4,
        )  # fmt: skip


def _healthy(**parts: Any) -> Snapshot:
    instances = tuple(_instances())
    tasks = tuple(
        Task(f"{n}c41e77ab02", "RUNNING", OLD, "d1", f"arn:{n % 2}", f"eu-central-1{'ab'[n % 2]}",
             started=START)
        for n in range(8)
    )  # fmt: skip
    targets = tuple(
        Target(f"i-{n % 2}:{n}", "healthy", zone=f"eu-central-1{'ab'[n % 2]}") for n in range(8)
    )
    values: dict[str, Any] = {
        "service": service(deployment("d1", OLD, desired=8, running=8), desired=8),
        "tasks": tasks,
        "targets": targets,
        "instances": instances,
        "group": Group("g", 0, 3, 2, tuple(GroupInstance(one.id) for one in instances)),
        "stacks": {
            "db": stack("db", "CREATE_COMPLETE", changed=START),
            "ecs": stack("ecs", "UPDATE_COMPLETE", changed=START, parameters={"DesiredCount": "8"}),
        },
        "cache": Cache(
            "web-redis", "cluster", "available", "redis", "7.1", nodes=(CacheNode("web-redis"),)
        ),
        "cache_use": CacheUse(41.0, 212.0),
        "alarms": (AlarmState("web-healthy-hosts", "OK"), AlarmState("web-running-tasks", "OK")),
        "identity": Identity("123456789012", "arn:x", "eu-central-1"),
        "look": STATUS,
    }
    return snapshot(**{**values, **parts}, seconds=600)


def _failed() -> Snapshot:
    """A release whose tasks end at once: the address of Redis is wrong."""
    whole = _healthy()
    ended = START + timedelta(minutes=9)
    died = tuple(
        Task(f"{n}d00f55be17", "STOPPED", NEW, "d2", f"arn:{n % 2}", f"eu-central-1{'ab'[n % 2]}",
             stop_code="EssentialContainerExited", containers=(Container("web", 1),),
             created=START, started=ended, stopped=ended + timedelta(seconds=n))
        for n in range(3)
    )  # fmt: skip
    said = "error: Redis at web-redis.x1.cache.amazonaws.com:6380 refuses the connection"
    rolling = service(
        deployment("d2", NEW, desired=8, running=0, pending=2, failed=3, state="IN_PROGRESS"),
        deployment("d1", OLD, primary=False, running=8),
        desired=8,
    )
    return _healthy(
        service=rolling,
        tasks=(*whole.tasks, *died),
        lines={one.id: (said,) for one in died},
    )
