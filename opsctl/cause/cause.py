"""One cause: what is wrong, how sure that is, what shows it, and what to do next."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """`source` is the API or the thing that says `quote`: `ecs DescribeTasks`, `task 3f2a91bc`."""

    source: str
    quote: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """`id` is one of docs/explain.md. `next` is a hint: `opsctl …`, perhaps with words before it.

    `hinders` is False for what is worth a word and stops nothing. `over` has passed: nothing of it
    is left. `lasting` is what no repetition can change. `count` is how often it was seen;
    `deployment` tells the newest from older ones (0). `explains` names the causes that follow
    from this one.
    """

    id: str
    sentence: str
    confidence: Confidence = "certain"
    evidence: tuple[Evidence, ...] = ()
    next: str = ""
    hinders: bool = True
    over: bool = False
    lasting: bool = False
    count: int = 1
    deployment: int = 0
    explains: frozenset[str] = field(default_factory=frozenset)
