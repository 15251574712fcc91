"""Answers that AWS never gives, at every call of every flow: no traceback, a sentence, clean text.

For `make test-hostile`: one place of one answer is changed, once or in every answer of that call.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.hostile.faults import EVER, ONCE, Fault
from tests.hostile.flows import Ended, calls_of, run
from tests.hostile.life import World
from tests.hostile.odd import ODDS
from tests.hostile.part import LONG, SEED, covering, part
from tests.hostile.test_calls import FLOWS, indecent, line, living

# What would move the cursor, or turn the direction of the text around.
_RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MORE = (
    "metrics --json --since 10m", "doctor --json", "alarms status --json", "ecs status --json",
    "diff --json", "why --json", "alarms explain healthy-hosts --json", "secrets check --json",
    "logs tail --json --no-follow --since 10m", "render task-definition",
)  # fmt: skip
# What is shown is an answer of its own: `doctor` has findings.
_SHOWN = (0, 2, 7, 10, 11)
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not LONG, reason="the long form: make test-hostile"),
]


@pytest.fixture(scope="module")
def world(folder: Callable[[str], Path], variables: Mapping[str, str]) -> World:
    return living(World("odd", variables, folder("odd")))


def wrong(flow: str, ended: Ended) -> str:
    """What no end of a command may be; '' when all is well."""
    if bad := indecent(ended):
        return bad
    if raw := _RAW.search(ended.said):
        return f"{raw[0]!r} is printed"
    says = "error: " in ended.said or '"error"' in ended.said
    if ended.code not in _SHOWN and not says and not flow.startswith("doctor"):
        return f"exit code {ended.code} without a sentence"
    if "error: " in ended.said and "hint: " not in ended.said:
        return "an error without a hint"
    lines = [one for one in ended.told.splitlines() if "--json" in flow and one[:1] == "{"]
    return "" if all(map(_is_json, lines)) else "a line of --json is not JSON"


def _is_json(text: str) -> bool:
    constants: list[str] = []
    try:
        json.loads(text, parse_constant=constants.append)
    except ValueError:
        return False
    return not constants  # NaN is not JSON


@pytest.mark.timeout(7200)
def test_an_answer_that_aws_never_gives_is_no_traceback(world: World) -> None:
    flows = dict.fromkeys([*FLOWS, *MORE])
    baseline = {flow: run(line(flow, world)) for flow in flows}
    whole = [
        (flow, Fault(call, number, odd, lasts, seed=f"{flow}{call}{number}{SEED}"))
        for flow, ended in baseline.items()
        for (call, number), odd, lasts in product(calls_of(ended), ODDS, (ONCE, EVER))
    ]
    cases = covering(whole, lambda case: (case[0], case[1].call, case[1].kind, case[1].lasts))
    chosen = part(random.Random(SEED).sample(cases, len(cases)))
    counts, reasons = Counter[str](), list[str]()
    for flow, fault in chosen:
        ended = run(line(flow, world), fault)
        counts[f"exit {ended.code}"] += 1
        counts[fault.kind] += 1
        if reason := wrong(flow, ended):
            reasons.append(f"{flow} | {fault} {fault.seed} | {reason}\n{ended.said[-1500:]}")
    table = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    summary = (
        f"seed {SEED}: {len(chosen)} of {len(cases)} cases that cover every pair of {len(flows)} "
        f"flows x their calls x {len(ODDS)} oddities x once, for ever ({len(whole)} in all); "
        f"{table}"
    )
    print(summary, file=sys.__stderr__)
    assert not reasons, f"{summary}; {len(reasons)} wrong:\n" + "\n".join(reasons)
