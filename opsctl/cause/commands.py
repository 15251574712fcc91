"""What a command itself said when it ended: the causes that lie before AWS, and the last resort."""

from collections.abc import Iterator

from opsctl.cause import stacks
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import Failure, History

# The class of an error, or the kind of an outcome -> the id, where the error names none.
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
    """An error that names its cause, or whose class does."""
    for failure in history.failures:
        id = failure.cause or _BY_KIND.get(failure.kind, "") or _by_words(failure)
        if id:
            yield _cause(failure, id)


def unexplained(history: History) -> Iterator[Cause]:
    """What the command said is always better than nothing; anything else ranks before it."""
    for failure in history.failures:
        known = failure.cause or failure.kind in _BY_KIND or _by_words(failure)
        if failure.kind not in _LEFT and not known:
            yield _cause(failure, UNEXPLAINED)


def _by_words(failure: Failure) -> str:
    """A plan that CloudFormation refused is told in the words of its events."""
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
