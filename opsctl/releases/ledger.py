"""Write the ledger: a release is opened before its first change and closed with its outcome.

Both are SSM parameters that are created once. So only one writer can take a number, and an outcome
is written once, even when commands are killed or write at the same time. If AWS refuses a write,
this is said and the roll continues.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.errors import AwsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure
from opsctl.snapshot import parameters, releases
from opsctl.snapshot.releases import Release

if TYPE_CHECKING:
    from opsctl.aws import Clients

_TRIES = 50
# Facts in the order in which they are left out when the value is too long.
_LEAVE_OUT = ("caddyfile_text", "command", "variables", "changed", "secrets", "why")
_FACTS = (
    *("token", "who", "host", "process", "why", "environment", "image", "commit", "dirty"),
    *("content", "base", "caddyfile", "config", "variables", "secrets", "cpu", "memory"),
    *("desired", "operation", "before", "before_definition", "before_deployment", "back_to"),
    *("changed", "command"),
)
_REASON = 1000  # characters


@dataclass(frozen=True, slots=True)
class ReleaseOpened:
    """Yielded when the release has its number and begins."""

    release: Release


def begin(clients: "Clients", system: str, facts: Release, *, now: datetime) -> Procedure[Release]:
    """Open a release and return it with its number, which is 0 when the ledger refuses it."""
    caller = clients.caller
    release = replace(
        facts,
        token=uuid.uuid4().hex,
        begun=now,
        host=caller.host,
        process=caller.process,
        command=caller.command,
        why=caller.why,
        outcome=releases.RUNNING,
        reason="",
        ended=None,
        definition="",
        deployment="",
    )
    try:
        release = replace(release, who=clients.who())
        release = _opened(clients, system, release)
    except Exception as error:
        yield from _unwritten(error, "this release is not in the history")
        return replace(release, number=0)
    yield ReleaseOpened(release)
    return release


def end(
    clients: "Clients",
    system: str,
    release: Release,
    outcome: Outcome,
    *,
    now: datetime,
    definition: str = "",
    deployment: str = "",
) -> Procedure[Release]:
    """Close a release and return it. One that somebody else has closed stays as it is."""
    closed = replace(
        release,
        outcome=outcome.kind,
        reason=outcome.reason[:_REASON],
        ended=now,
        definition=definition,
        deployment=deployment,
    )
    if release.number:
        try:
            _close(clients, system, closed)
        except Exception as error:
            yield from _unwritten(error, f"the outcome of release {release.number} is not written")
    return closed


class _NoneFree(AwsError):
    """SSM does not create a deleted name again for 30 seconds."""


def _unwritten(error: Exception, what: str) -> Procedure[None]:
    if aws.fault(error) != "refused" and not isinstance(error, _NoneFree):
        raise error
    refusal = aws.translate(error)
    yield Notice(f"{what}: {refusal.message if refusal else error}", warning=True)


def _opened(clients: "Clients", system: str, release: Release) -> Release:
    first = releases.newest(clients.ssm, system) + 1
    value = _value(release)
    for number in range(first, first + _TRIES):
        name = releases.path(system, number)
        try:
            clients.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)
        except clients.ssm.exceptions.ParameterAlreadyExists:
            # It exists because the call was repeated after its first answer was lost.
            there = parameters.named(clients.ssm, [name]).get(name)
            if there is None or there.fields.get("token") != release.token:
                continue
        _point(clients, system, number)
        return replace(release, number=number)
    raise _NoneFree(f"no number of a release is free between {first} and {number}")


def _point(clients: "Clients", system: str, number: int) -> None:
    """Write where readers start to look. They look beyond it, so it may lag behind."""
    try:
        clients.ssm.put_parameter(
            Name=releases.pointer(system),
            Value=parameters.written({"number": number}),
            Type="String",
            Overwrite=True,
        )
    except Exception as error:
        if aws.fault(error) != "refused":
            raise


def _close(clients: "Clients", system: str, release: Release) -> None:
    assert release.ended is not None
    fields = {
        "token": release.token,
        "outcome": release.outcome,
        "reason": release.reason,
        "ended": release.ended.isoformat(),
        "definition": release.definition,
        "deployment": release.deployment,
    }
    name = releases.ending(system, release.number)
    value = _fitting(fields, ("reason",))
    try:
        clients.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)
    except clients.ssm.exceptions.ParameterAlreadyExists:
        return


def _value(release: Release) -> str:
    fields: dict[str, Any] = {name: getattr(release, name) for name in _FACTS}
    fields = {name: value for name, value in fields.items() if value}
    fields |= {"begun": release.begun.isoformat(), "outcome": releases.RUNNING}
    if release.caddyfile_text:
        fields["caddyfile_text"] = releases.packed(release.caddyfile_text)
    return _fitting(fields, _LEAVE_OUT)


def _fitting(fields: Mapping[str, Any], leave_out: tuple[str, ...]) -> str:
    """Return the value in at most 4 KB. `without` names the facts that were left out."""
    value, left = parameters.written(fields), dict(fields)
    for name in leave_out:
        if len(value) <= parameters.LONGEST:
            break
        if left.pop(name, None):
            left["without"] = [*left.get("without", ()), name]
            value = parameters.written(left)
    return value
