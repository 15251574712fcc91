"""Every call of every flow that reads, with every fault: a true code, a sentence, no traceback.

For `make test-hostile`: every call of every flow, every fault in every flow and at every call, once
and for long.
`make test` reads in the life of test_changes.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest

from tests.hostile.conftest import CANARIES
from tests.hostile.faults import EVER, KINDS, LASTING, MINUTE, ONCE, Fault
from tests.hostile.flows import Ended, calls_of, run
from tests.hostile.life import WAY, World
from tests.hostile.part import LONG, SEED, covering, part

FLOWS = (
    "db plan", "db status", "ecs plan", "ecs status", "status", "status --check", "why",
    "doctor", "secrets check", "history", "diff", "logs sources", "metrics --since 10m",
    "rollback --dry-run --yes", "db snapshots", "iam-policy", "db up --dry-run --json",
    "logs tail ecs --no-follow --since 10m", "secrets list", "alarms plan", "alarms status",
    "alarms explain healthy-hosts", "alarms backtest --since 1h", "logs audit --since 10m",
    "logs lag --since 10m", "logs query errors", "metrics --check", "status --json",
    "ecs scale 3 --dry-run", "update-tasks --dry-run --image ONE",
    "logs tail --no-follow --with events --since 10m", "init other --name other --account",
)  # fmt: skip
# docs/exit-codes.md
CODES = frozenset(
    int(code)
    for row in re.findall(
        r"^\| ([\d, ]+) \|", (Path(__file__).parents[2] / "docs/exit-codes.md").read_text(), re.M
    )
    for code in row.split(",")
)
# The clients of a command live as long as its process, and here that is this one.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not LONG, reason="the long form: make test-hostile"),
]


@pytest.fixture(scope="module")
def world(folder: Callable[[str], Path], variables: Mapping[str, str]) -> World:
    return living(World("hostile", variables, folder("hostile")))


def living(world: World) -> World:
    """Give it a release and alarms, so that there is something to read."""
    for step in WAY:
        if step.words.endswith("ONE"):
            world.push()
        ended = run(step.line(world), typed=step.typed)
        assert ended.code == 0, ended.said
        if step.words.endswith("ONE"):
            break
    return world


@pytest.fixture(scope="module")
def baseline(world: World) -> dict[str, Ended]:
    return {flow: run(line(flow, world)) for flow in FLOWS}


def line(flow: str, world: World) -> Sequence[str]:
    return flow.replace("ONE", world.images[0]).split()


def matrix(baseline: Mapping[str, Ended]) -> list[tuple[str, Fault]]:
    return [
        (flow, Fault(call, number, kind, lasts))
        for flow, ended in baseline.items()
        for (call, number), kind, lasts in product(calls_of(ended), KINDS, (ONCE, MINUTE, EVER))
    ]


def indecent(ended: Ended) -> str:
    """What no end of a command may be, whatever was wrong; '' when all is well."""
    if ended.code not in CODES:
        return f"exit code {ended.code} is not documented"
    if "Traceback" in ended.said:
        return "a traceback"
    if leaked := [name for name, value in CANARIES.items() if value in ended.said]:
        return f"the canary of the {leaked[0]} is printed"
    return ""


def wrong(fault: Fault, ended: Ended, well: Ended) -> str:
    """What is not as it must be; '' when all is well."""
    if bad := indecent(ended):
        return bad
    if not ended.struck or fault.kind == "delay":
        return "" if ended.code == well.code else f"exit code {ended.code}, not {well.code}"
    passing = fault.lasts == ONCE and fault.kind not in LASTING
    if passing and ended.code != well.code:
        return f"one {fault.kind} changed the exit code from {well.code} to {ended.code}"
    if not passing and ended.code == 3 and not ("error: " in ended.said or '"error"' in ended.said):
        return "refused without a sentence"
    if fault.kind == "denied" and fault.call.split()[1] not in ended.said.replace("debug", ""):
        return "the operation that is not allowed is not named"
    return ""


def test_every_flow_ends_as_documented_when_nothing_fails(baseline: Mapping[str, Ended]) -> None:
    for flow, ended in baseline.items():
        assert ended.code in CODES and "Traceback" not in ended.said, (flow, ended.said)


@pytest.mark.timeout(7200)
def test_whatever_fails_is_survived_or_said(world: World, baseline: dict[str, Ended]) -> None:
    whole = matrix(baseline)
    cases = covering(whole, lambda case: (case[0], case[1].call, case[1].kind, case[1].lasts))
    chosen = part(cases)
    reasons: list[str] = []
    counts = Counter[str]()
    for flow, fault in chosen:
        ended = run(line(flow, world), fault)
        counts[f"exit {ended.code}"] += 1
        counts[fault.kind] += 1
        reason = wrong(fault, ended, baseline[flow])
        if reason and ended.code != baseline[flow].code:
            # Metrics and alarms change by themselves, and with them what is well.
            baseline[flow] = run(line(flow, world))
            reason = wrong(fault, ended, baseline[flow])
        if reason:
            reasons.append(f"{flow} | {fault} | {reason}\n{ended.said[-600:]}")
    calls = len({fault.call for _, fault in whole})
    table = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    summary = (
        f"seed {SEED}: {len(chosen)} of {len(cases)} cases that cover every pair of "
        f"{len(FLOWS)} flows x {calls} calls x {len(KINDS)} faults x once, a minute, for ever "
        f"({len(whole)} in all); {table}"
    )
    print(summary, file=sys.__stderr__)
    assert not reasons, f"{summary}; {len(reasons)} wrong:\n" + "\n".join(reasons)
