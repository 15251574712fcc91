"""How much of a matrix is run. HOSTILE_PART=2/6 is the second sixth of it, 1/1 is all of it.

Without it, `make test` takes a few cases. HOSTILE_SEED draws others, in another order.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

Case = TypeVar("Case")
LONG = "HOSTILE_PART" in os.environ
_PART, _PARTS = map(int, os.environ.get("HOSTILE_PART", "1/1").split("/"))
# One seed, so that a new day cannot turn a green commit red; the long form takes others.
SEED = os.environ.get("HOSTILE_SEED", "opsctl")


def part(whole: Sequence[Case], *, otherwise: int = 0) -> list[Case]:
    """Every n-th case, so that each part has some of everything; else the first few."""
    return list(whole[_PART - 1 :: _PARTS] if LONG else whole[:otherwise])
