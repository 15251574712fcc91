"""Apply all rules to one history and rank the causes."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from opsctl.cause import (
    alarms,
    balancer,
    calls,
    commands,
    exits,
    fleet,
    groups,
    health,
    pull,
    rollouts,
    room,
    scheduler,
    stacks,
    starts,
    stores,
    telling,
)
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.commands import UNEXPLAINED
from opsctl.cause.history import History
from opsctl.snapshot.redact import redact

Rule = Callable[[History], Iterable[Cause]]
RULES: tuple[Rule, ...] = (
    *commands.RULES,
    *pull.RULES,
    *starts.RULES,
    *exits.RULES,
    *stores.RULES,
    *balancer.RULES,
    *health.RULES,
    *fleet.RULES,
    *groups.RULES,
    *scheduler.RULES,
    *room.RULES,
    *rollouts.RULES,
    *stacks.RULES,
    *calls.RULES,
)
_SURE = {"certain": 0, "likely": 1, "possible": 2}
_QUOTES = 5
_LONGEST = 600  # characters of a sentence
# These causes only repeat that something failed. They are left out when another cause explains it.
_ECHOES = {
    *("breaker-tripped", "resource-failed", "no-progress", "logging-failed"),
    *(UNEXPLAINED, "deployment-running"),
}


def rank(history: History) -> tuple[Cause, ...]:
    """Return every cause once, the one to act on first.

    The order, by decreasing weight: causes that stop something before those that stop nothing,
    and those that are over last; causes before what they explain; what is wrong now before a
    failed deployment while the previous one still serves; certain before likely; newer
    deployments before older ones; frequent before rare. An alarm that rings is a cause only if
    there is no other now.
    """
    causes = [(index, cause) for index, rule in enumerate(RULES) for cause in rule(history)]
    present = [cause for _, cause in causes if not cause.over]
    sure = [cause for cause in present if cause.confidence != "possible"]
    explained = {id for cause in sure for id in cause.explains}
    if any(cause.hinders for cause in sure):
        explained |= {UNEXPLAINED, "deployment-running"}
    causes = [one for one in causes if one[1].id not in explained & _ECHOES]

    serves = not history.ended_badly and telling.steady(history.now)

    def place(numbered: tuple[int, Cause]) -> tuple[object, ...]:
        index, cause = numbered
        return (
            cause.over,
            not cause.hinders,
            cause.id in explained,
            serves and cause.deployment > 0,
            _SURE[cause.confidence],
            -cause.deployment,
            -cause.count,
            index,
        )

    ranked = [cause for _, cause in sorted(causes, key=place)]
    if not present:
        ranked += alarms.ringing(history)
    return _once([_clean(cause) for cause in ranked])


def _clean(cause: Cause) -> Cause:
    """Return the cause as one harmless sentence: AWS and containers may have written anything."""
    evidence = (
        replace(one, source=_harmless(one.source), quote=_harmless(one.quote))
        for one in cause.evidence
    )
    return replace(cause, sentence=_harmless(cause.sentence), evidence=_distinct(evidence))


def _distinct(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return what each source says once, with the newest time: AWS repeats itself."""
    said: dict[tuple[str, str], Evidence] = {}
    for one in evidence:
        key = (one.source, one.quote)
        said[key] = replace(one, time=telling.newest([one.time, said.get(key, one).time]))
    return tuple(said.values())


def _harmless(text: str) -> str:
    line = redact(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _once(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Return the first cause of each id, with the evidence of all causes of that id."""
    by_id: dict[str, Cause] = {}
    for cause in causes:
        first = by_id.get(cause.id)
        if first is None:
            by_id[cause.id] = cause
        elif cause.over == first.over:
            evidence = _distinct((*first.evidence, *cause.evidence))[:_QUOTES]
            by_id[cause.id] = replace(first, evidence=evidence)
    return tuple(by_id.values())
