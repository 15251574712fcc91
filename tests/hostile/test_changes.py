"""Whole lives of a system, and in each of its commands one thing goes wrong.

Whatever it was, a command that changes something says how it ended, leaves nothing behind unsaid,
and given once more it ends right, with nothing done twice. `make test` takes one life,
the long form one for each fault and signal; HOSTILE_SEED draws others.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.hostile.faults import ENDINGS, EVER, KINDS, MINUTE, ONCE, Ending, Fault, Kind
from tests.hostile.flows import Ended, run
from tests.hostile.leaks import leaked
from tests.hostile.life import WAY, Step, World
from tests.hostile.part import SEED, part
from tests.hostile.test_calls import indecent

WRONGS: tuple[Kind | Ending, ...] = (*KINDS, *ENDINGS)
DURATIONS = (ONCE, MINUTE, EVER)
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def lives() -> list[Mapping[Step, Fault]]:
    """In as many lives as there are faults, every command meets each of them, once or for long."""
    dice = random.Random(SEED)
    orders = {step: dice.sample(WRONGS, len(WRONGS)) for step in WAY}
    return [
        {
            step: Fault("", dice.randint(1, step.calls), kind, lasts)
            for step in WAY
            for kind in [orders[step][number]]
            for lasts in [dice.choice(DURATIONS) if kind in KINDS else ONCE]
        }
        for number in range(len(WRONGS))
    ]


def unsaid(world: World, ended: Ended) -> str:
    """What is wrong with how it ended, before anything is done about it."""
    if ended.code == -9:
        return ""  # it had no chance to say or do anything
    if bad := indecent(ended):
        return bad
    if left := [one for one in world.left() if one not in ended.told.replace("`", "")]:
        return f"left behind, and unsaid: {left}"
    return ""


def lived(world: World, faults: Mapping[Step, Fault], counts: Counter[str]) -> Iterator[str]:
    """What went wrong in the order in which it did; a life whose ground is gone ends."""
    for step in WAY:
        if step.words.endswith("ONE"):
            world.push()
        fault = faults[step]
        ended = run(step.line(world), fault, step.typed)
        counts[f"exit {ended.code}"] += 1
        counts[fault.kind if ended.struck else "not struck"] += 1
        told = f"{step.words} | {fault}, {ended.target} | exit {ended.code}"
        reason = unsaid(world, ended)
        told_so = "is not written" in ended.told  # the ledger's entry, in a warning
        if not reason and ended.code == 0 and not told_so and (wrong := step.wrong(world)):
            reason = f"it says done, but {wrong}"
        if reason:
            yield f"{told} | {reason}\n{ended.told[-1500:]}"
        yield from (f"{told} | {place}" for place in leaked(world))
        if step.reads:
            continue
        again = run(step.line(world), typed=step.typed)
        wrong = f"exit {again.code}" if again.code else step.wrong(world)
        wrong = wrong or ", ".join(world.left())
        if wrong:
            text = f"{ended.told[-1500:]}\n--- again:\n{again.told[-1500:]}"
            yield f"{told} | given again: {wrong}\n{text}"
            if again.code:
                return


@pytest.mark.timeout(7200)
def test_a_command_that_is_disturbed_says_so_and_ends_right_when_given_again(
    folder: Callable[[str], Path], variables: Mapping[str, str]
) -> None:
    counts, whole = Counter[str](), lives()
    chosen = part(whole, otherwise=1)
    found: list[str] = []
    for faults in chosen:
        name = f"life{whole.index(faults) + 1}"
        wrongs = list(lived(World(name, variables, folder(name)), faults, counts))
        # At once: the rest may be ended before it comes to its summary.
        print(f"{name}: {len(wrongs)} wrong", *wrongs, sep="\n", file=sys.__stderr__, flush=True)
        found += wrongs
    table = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    summary = (
        f"seed {SEED}: {len(chosen)} of {len(whole)} lives of {len(WAY)} commands x ({len(KINDS)} "
        f"faults, once, for a minute or for ever, {len(ENDINGS)} signals); {table}"
    )
    print(summary, file=sys.__stderr__)
    assert not found, f"{summary}; {len(found)} wrong:\n" + "\n\n".join(found)
