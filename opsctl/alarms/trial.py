"""Set an alarm off for a moment, so that somebody sees its message arrive."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.alarms import watched
from opsctl.alarms.evaluation import State
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure, Waiting, ask, look_at
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOKS = 10
_REASON = "a test by opsctl: nothing is wrong"


@dataclass(frozen=True, slots=True)
class Rung:
    """The alarm went off, and its message to the targets `to`; `before` is the state before."""

    name: str
    to: tuple[str, ...]
    before: str


def trial(clients: "Clients", config: Config, name: str) -> Procedure[Outcome]:
    """Set the alarm to ALARM and back. Raises OpsError when nobody would be notified."""
    clients.check_account()
    now = (yield from look_at(watched.LOOK)).require("stacks", "alarms")
    one = watched.named(watched.watched(now, config), name, now.names.alarms)
    state = _require_heard(one.name, one.state)
    targets = ", ".join(target.rpartition(":")[2] for target in state.to)
    if not (yield from ask(f"let `{one.name}` ring for a moment? its message goes to {targets}")):
        return Outcome("cancelled", f"nothing was done to `{one.name}`")
    cloudwatch = clients.cloudwatch
    cloudwatch.set_alarm_state(AlarmName=one.name, StateValue="ALARM", StateReason=_REASON)
    try:
        yield from _seen(one.name)
    finally:
        # CloudWatch itself evaluates again within a minute; this is only faster.
        before: State = "OK" if state.state == "OK" else "INSUFFICIENT_DATA"
        if not aws.tidy(
            clients,
            lambda: cloudwatch.set_alarm_state(
                AlarmName=one.name, StateValue=before, StateReason=_REASON
            ),
        ):
            clients.left.append(
                f"`{one.name}` could not be set back, and rings until CloudWatch evaluates it "
                "again, within a minute: opsctl alarms status"
            )
    yield Rung(one.name, state.to, state.state)
    return Outcome("done")


def _require_heard(name: str, state: AlarmState | None) -> AlarmState:
    if state is None:
        raise OpsError(f"there is no alarm `{name}` in AWS", hint="opsctl alarms up")
    if not state.actions:
        raise OpsError(
            f"`{name}` takes no action: its actions are off, as they are before the first release",
            hint="opsctl alarms up",
        )
    if not state.to:
        raise OpsError(
            f"`{name}` notifies nobody: it has no action for ALARM", hint="opsctl alarms plan"
        )
    if state.rings:
        raise OpsError(
            f"`{name}` rings already, and only a change of state sends a message",
            hint="opsctl why",
        )
    return state


def _seen(name: str) -> Procedure[None]:
    """Wait until CloudWatch shows ALARM, which may take a moment."""
    look, pause = Look(frozenset({"alarms"}), ()), 0.0
    for _ in range(_LOOKS):
        now = yield Waiting(pause, look, f"`{name}` is made to ring")
        if any(one.name == name and one.rings for one in now.alarms):
            return
        pause = 1.0
