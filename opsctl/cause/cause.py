"""One cause: what is wrong, how certain that is, the evidence, and the next command."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence. `source` is the API or the thing that says `quote`: `ecs
    DescribeTasks`, `task 3f2a91bc`.
    """

    source: str
    quote: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why something is wrong.

    `id` is one of the ids in docs/explain.md. `next` is a hint: an `opsctl …` command, perhaps
    with words before it. `hinders` is False for a cause that stops nothing. `over` means that the
    trouble has passed. `lasting` means that trying again cannot help. `count` is how often it was
    seen. `deployment` orders deployments: newer ones have greater numbers, 0 is unknown.
    `explains` holds the ids of causes that follow from this one.
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
