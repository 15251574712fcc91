"""Causes from the error with which a command ended; and the fallback when no rule fits."""

from collections.abc import Iterator

from opsctl.cause import stacks
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import Failure, History

# Error class or outcome kind -> cause id, for errors that do not name a cause.
_BY_KIND = {
    "ConfigError": "config-refused",
    "TemplateError": "caddyfile-refused",
    "DockerError": "image-not-built",
    "Busy": "someone-else-is-deploying",
    "timed-out": "still-running",
}
_LEFT = {"Detached", "detached", "cancelled", "superseded"}
UNEXPLAINED = "unexplained"


def refused(history: History) -> Iterator[Cause]:
    """Yield a Cause for each error whose cause is known from the error itself or from its class."""
    for failure in history.failures:
        id = failure.cause or _BY_KIND.get(failure.kind, "") or _by_words(failure)
        if id:
            yield _cause(failure, id)


def unexplained(history: History) -> Iterator[Cause]:
    """Yield the command's own message as a Cause when no rule knows it. Every other cause ranks
    before it.
    """
    for failure in history.failures:
        known = failure.cause or failure.kind in _BY_KIND or _by_words(failure)
        if failure.kind not in _LEFT and not known:
            yield _cause(failure, UNEXPLAINED)


def _by_words(failure: Failure) -> str:
    """Return the id for a refused plan, taken from the words of CloudFormation's events, or ''."""
    if failure.kind != "OpsError" or "CloudFormation refused" not in failure.message:
        return ""
    id, _ = stacks.by_reason(failure.message)
    return id


def _cause(failure: Failure, id: str) -> Cause:
    known = id != UNEXPLAINED
    return Cause(
        id,
        failure.message,
        "certain" if known else "possible",
        (Evidence("this command", failure.message, failure.time),),
        failure.hint,
        hinders=known and failure.kind != "timed-out",
    )


RULES = (refused, unexplained)
