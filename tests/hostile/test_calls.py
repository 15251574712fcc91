"""Every call of every flow that reads, with every fault: a true code, a sentence, no traceback.

For `make test-hostile`: HOSTILE_RUNS says how much of the matrix, HOSTILE_SEED which sample of it.
`make test` has the flows that read in the life of test_changes, where there is more to read.
"""

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest

from tests.hostile.conftest import CANARIES
from tests.hostile.faults import EVER, KINDS, LASTING, MINUTE, ONCE, Fault
from tests.hostile.flows import Ended, calls_of, run

RUNS = int(os.environ.get("HOSTILE_RUNS", "0"))
# One seed, so that a new day cannot turn a green commit red; the long form takes others.
SEED = os.environ.get("HOSTILE_SEED", "opsctl")
FLOWS = (
    "db plan", "db status", "ecs plan", "ecs status", "status", "status --check", "why",
    "doctor", "secrets check", "history", "diff", "logs sources", "metrics --since 10m",
    "rollback --dry-run --yes", "db snapshots", "iam-policy", "db up --dry-run --json",
    "logs tail ecs --no-follow --since 10m", "secrets list",
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
    pytest.mark.skipif(not RUNS, reason="the long form: make test-hostile"),
]


@pytest.fixture(scope="module")
def baseline(folder: Callable[[str], Path]) -> Iterator[Mapping[str, Ended]]:
    folder("hostile")
    yield {flow: run(flow.split()) for flow in FLOWS}


def matrix(baseline: Mapping[str, Ended]) -> list[tuple[str, Fault]]:
    return [
        (flow, Fault(call, number, kind, lasts))
        for flow, ended in baseline.items()
        for (call, number), kind, lasts in product(calls_of(ended), KINDS, (ONCE, MINUTE, EVER))
    ]


def drawn(whole: Sequence[tuple[str, Fault]], count: int) -> list[tuple[str, Fault]]:
    """As many of each flow, whatever it calls; all of them when so many are asked for."""
    if count >= len(whole):
        return list(whole)
    dice = random.Random(SEED)
    calling = sorted({flow for flow, _ in whole})
    flows = [calling[number % len(calling)] for number in range(count)]
    return [dice.choice([one for one in whole if one[0] == flow]) for flow in flows]


def indecent(ended: Ended) -> str:
    """What no end of a command may be, whatever was wrong; '' when all is well."""
    if ended.code not in CODES:
        return f"exit code {ended.code} is not documented"
    if "Traceback" in ended.said:
        return "a traceback"
    if leaked := [name for name, value in CANARIES.items() if value in ended.said]:
        return f"the canary of the {leaked[0]} is printed"
    return ""


def wrong(flow: str, fault: Fault, ended: Ended, well: Ended) -> str:
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
def test_whatever_fails_is_survived_or_said(baseline: Mapping[str, Ended]) -> None:
    whole = matrix(baseline)
    chosen = drawn(whole, RUNS)
    found: list[str] = []
    counts = Counter[str]()
    for flow, fault in chosen:
        ended = run(flow.split(), fault)
        counts[f"exit {ended.code}"] += 1
        counts[fault.kind] += 1
        if reason := wrong(flow, fault, ended, baseline[flow]):
            found.append(f"{flow} | {fault} | {reason}\n{ended.said[-600:]}")
    calls = len({fault.call for _, fault in whole})
    title = f"seed {SEED}: {len(chosen)} of {len(whole)} cases: {len(FLOWS)} flows x {calls} calls "
    table = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    summary = f"{title}x {len(KINDS)} faults x once, a minute, for ever; {table}"
    print(summary, file=sys.__stderr__)
    assert not found, f"{summary}; {len(found)} wrong:\n" + "\n".join(found)
