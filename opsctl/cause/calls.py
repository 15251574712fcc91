"""Causes for failed AWS calls: clock, credentials, permissions, throttling, network."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from opsctl.aws import iam
from opsctl.aws.failed_calls import DENIED, UNKNOWN_CALLER, FailedCall
from opsctl.cause import telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import Failure, History
from opsctl.plural import counted

_SKEW = re.compile(
    r"Signature expired|not yet current|still later than|RequestTimeTooSkewed|"
    r"difference between the request time|clock",
    re.IGNORECASE,
)
_TIMES = re.compile(
    r"(\d{8}T\d{6}Z) is (?:now earlier|still later) than \d{8}T\d{6}Z \((\d{8}T\d{6}Z)"
)
_CHECK = "aws sts get-caller-identity"
_ON_THE_WAY = {"network", "not-aws"}
# Causes for which this machine cannot read what is there.
OF_THE_WAY = _ON_THE_WAY | {
    *("clock-wrong", "credentials-expired", "credentials-refused"),
    *("permission-missing", "throttled"),
}


def clock_wrong(history: History) -> Iterator[Cause]:
    calls = [one for one in _calls(history) if _SKEW.search(f"{one.code} {one.message}")]
    if calls:
        yield _cause(
            history,
            "clock-wrong",
            calls,
            f"this machine's clock is {_skew(calls[0].message)}: AWS refuses its signatures",
            "set the clock, for instance: sudo timedatectl set-ntp true",
            explains=frozenset({"credentials-refused", "permission-missing"}),
        )


def credentials_expired(history: History) -> Iterator[Cause]:
    calls = [
        one
        for one in _calls(history)
        if (one.fault == "expired" or "expired" in one.message.lower())
        and not _SKEW.search(f"{one.code} {one.message}")
        and one.fault != "throttled"
    ]
    if calls:
        yield _cause(
            history,
            "credentials-expired",
            calls,
            f"the credentials have expired: {telling.quoted(calls[0].message)}",
            "renew the credentials, for instance: aws sso login",
            explains=frozenset({"credentials-refused"}),
        )


def credentials_refused(history: History) -> Iterator[Cause]:
    calls = [
        one
        for one in _calls(history)
        if one.code in UNKNOWN_CALLER and not _SKEW.search(f"{one.code} {one.message}")
    ]
    if calls:
        yield _cause(
            history,
            "credentials-refused",
            calls,
            f"AWS does not know these credentials: {telling.quoted(calls[0].message)}",
            f"check the credentials: {_CHECK}",
        )


def credentials_absent(history: History) -> Iterator[Cause]:
    """Yield a Cause when this machine has no credentials. Such calls were never sent, so they are
    not among the failed calls.
    """
    unread = [one for one in history.now.unread if not one.code and one.cause not in _ON_THE_WAY]
    if history.now.blind and unread:
        first = unread[0]
        yield Cause(
            first.cause or "credentials-refused",
            first.reason,
            "certain",
            (Evidence("this machine", first.reason, history.now.at),),
            first.hint or f"check the credentials: {_CHECK}",
        )


def permission_missing(history: History) -> Iterator[Cause]:
    calls = [one for one in _calls(history) if one.code in DENIED and one.fault == "refused"]
    if not calls:
        return
    ended = _ended(_by(history, "permission-missing"), calls)
    first = ended[0] if ended else calls[0]
    _, on = iam.denied(first.message)
    service, _, operation = first.operation.rpartition(":")
    action = iam.lacking(first.message, service, operation)
    others = len({one.operation for one in calls}) - 1
    more = f" (and {counted(others, 'other action')})" if others else ""
    yield _cause(
        history,
        "permission-missing",
        [first, *(one for one in calls if one is not first)],
        f"this caller lacks {action}{on}{more}: {telling.quoted(first.message)}",
        f"allow this caller `{action}`, then check: {_CHECK}",
    )


def throttled(history: History) -> Iterator[Cause]:
    calls = [one for one in _calls(history) if one.fault == "throttled"]
    if calls:
        times = sum(one.times for one in calls)
        yield _cause(
            history,
            "throttled",
            calls,
            f"AWS throttled {counted(times, 'call')} of this account",
            "it passes by itself; if it does not, ask for a higher quota: opsctl status",
        )


def not_aws(history: History) -> Iterator[Cause]:
    calls = [one for one in _calls(history) if "is not AWS" in one.message]
    if calls:
        yield _cause(
            history,
            "not-aws",
            calls,
            calls[0].message,
            "check the network and AWS_ENDPOINT_URL: opsctl status",
            explains=frozenset({"network"}),
        )


def network(history: History) -> Iterator[Cause]:
    """Yield one Cause for lost connections, unreadable answers and errors of AWS's own servers."""
    calls = [
        one
        for one in _calls(history)
        if one.fault in ("unreachable", "nobody") and "is not AWS" not in one.message
    ]
    if not calls:
        return
    times = sum(one.times for one in calls)
    nobody = [one for one in calls if one.fault == "nobody"]
    count = counted(times, "call")
    failing = all(one.code for one in calls)  # what has a code was an answer, of a server's error
    what = f"AWS itself fails: {count} ended in an error of its own"
    if not failing:
        lost = "nothing answers" if nobody else f"{count} got no answer"
        what = f"the way to AWS is unreliable: {lost}"
    yield _cause(
        history,
        "network",
        nobody or calls,
        f"{what}: {telling.quoted((nobody or calls)[0].message)}",
        "check the network and AWS_ENDPOINT_URL: opsctl status",
    )


def _cause(
    history: History,
    id: str,
    calls: Sequence[FailedCall],
    sentence: str,
    next: str,
    *,
    explains: frozenset[str] = frozenset(),
) -> Cause:
    """Return a Cause for failed `calls`. It hinders only when a command ended with one of them, or
    when most parts of the snapshot could not be read.
    """
    failures = _by(history, id)
    ended = _ended(failures, calls)
    stops = bool(ended) or _blind(history)
    return Cause(
        id,
        _own_words(failures, ended) or sentence,
        "certain" if stops or len(calls) > 1 or calls[0].fault == "refused" else "likely",
        tuple(
            Evidence(
                one.operation,
                f"{one.code or one.fault}: {telling.quoted(one.message)}"
                + (f" ({one.times} times)" if one.times > 1 else ""),
                one.at,
            )
            for one in calls[:3]
        ),
        next,
        hinders=stops,
        count=sum(one.times for one in calls),
        explains=explains,
    )


def _calls(history: History) -> list[FailedCall]:
    """Return the failed calls, and the error that ended a command if it is not among them."""
    counted = list(history.failed_calls.values())
    known = {one.code for one in counted}
    for failure in history.failures:
        if failure.code and failure.code not in known:
            at, expired = failure.time or history.now.at, "xpired" in failure.code
            counted.append(
                FailedCall(
                    failure.operation,
                    "expired" if expired else "refused",
                    failure.code,
                    failure.message,
                    1,
                    at,
                )
            )
    return counted


def _by(history: History, id: str) -> list[Failure]:
    """Return the failures of commands that name cause `id` or no cause at all."""
    return [one for one in history.failures if one.kind == "AwsError" and one.cause in ("", id)]


def _ended(failures: Sequence[Failure], calls: Sequence[FailedCall]) -> list[FailedCall]:
    """Return those of `calls` that ended a command."""
    ends = {(one.operation, one.code) for one in failures}
    silent = any(operation == "" for operation, _ in ends)
    return [
        one
        for one in calls
        if (one.operation.rpartition(":")[2], one.code) in ends
        or (silent and one.fault in ("nobody", "unreachable"))
    ]


def _own_words(failures: Sequence[Failure], ended: Sequence[FailedCall]) -> str:
    """Return the message with which the command ended, or ''. `why` repeats that sentence."""
    codes = {one.code for one in ended}
    own = [one.message for one in failures if one.code in codes]
    return own[-1] if own else ""


def _blind(history: History) -> bool:
    """Return whether more than half of the parts could not be read."""
    looked, unread = len(history.now.look.parts), len(history.now.unread)
    return looked > 0 and unread * 2 > looked


def _skew(message: str) -> str:
    match = _TIMES.search(message)
    if match is None:
        return "wrong"
    ours, theirs = (datetime.strptime(text, "%Y%m%dT%H%M%SZ") for text in match.groups())
    minutes = round(abs(theirs - ours) / timedelta(minutes=1))
    return f"{counted(minutes, 'minute')} {'slow' if ours < theirs else 'fast'}"


RULES = (
    clock_wrong,
    credentials_expired,
    credentials_refused,
    credentials_absent,
    permission_missing,
    not_aws,
    network,
    throttled,
)
