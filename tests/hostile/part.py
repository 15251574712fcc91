"""Which cases of a matrix are run.

The whole product would take hours, so there are as many cases as cover every pair of its columns.
HOSTILE_PART=2/6 runs the second sixth of them, 1/1 all; without it, `make test` takes a few.
HOSTILE_SEED draws other cases that cover the same pairs.
"""

import os
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TypeVar

Case = TypeVar("Case")
LONG = "HOSTILE_PART" in os.environ
_PART, _PARTS = map(int, os.environ.get("HOSTILE_PART", "1/1").split("/"))
# One seed, so that a new day cannot turn a green commit red; the long form takes others.
SEED = os.environ.get("HOSTILE_SEED", "opsctl")


def covering(whole: Sequence[Case], columns: Callable[[Case], Sequence[object]]) -> list[Case]:
    """Few of the cases, such that whatever two values stand together in one, stand so in these."""
    shuffled = random.Random(SEED).sample(whole, len(whole))
    seen: set[object] = set()
    chosen: list[Case] = []
    pairs = {case: set(combinations(enumerate(columns(case)), 2)) for case in shuffled}
    for news in range(max(map(len, pairs.values())), 0, -1):
        for case in shuffled:
            if len(pairs[case] - seen) >= news:
                seen |= pairs[case]
                chosen.append(case)
    return chosen


def part(whole: Sequence[Case], *, otherwise: int = 0) -> list[Case]:
    """Every n-th case, so that each part has some of everything; else the first few."""
    return list(whole[_PART - 1 :: _PARTS] if LONG else whole[:otherwise])
