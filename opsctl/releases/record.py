"""Record one release in the ledger: open it before its first change, close it with its outcome."""

from dataclasses import replace
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.errors import AwsError, Busy, Detached, OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.releases import facts, ledger
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients

# Outcomes whose end is not known yet. The next command that reads the ledger closes the release.
_OPEN = ("timed-out", "detached")


def _blind(error: Exception) -> bool:
    """Return whether AWS refused a read, which leaves the outcome unknown."""
    return isinstance(error, AwsError) and error.operation.startswith(aws.READS)


def _require_silence(error: Exception) -> OpsError:
    """Return the error as a sentence if AWS did not answer or refused; else raise it."""
    silence = None if isinstance(error, (Busy, Detached)) else aws.translate(error)
    if silence is None:
        raise error
    return silence


class Record:
    """Records one release. `release` is None until it is opened; a declined one is never opened."""

    def __init__(self, clients: "Clients", system: str) -> None:
        self._clients, self._system = clients, system
        self.release: Release | None = None
        # True when somebody's rollback took our lock; then no other cause needs to be searched.
        self.taken_over = False

    def begin(self, release: Release, before: Snapshot, operation: str = "") -> Procedure[None]:
        """Open the release once, even if this is called again after somebody else was faster."""
        if self.release is None:
            begun = facts.begun(release, before, operation=operation)
            self.release = yield from ledger.begin(
                self._clients, self._system, begun, now=self._clients.clock.now()
            )

    def kept(self, procedure: Procedure[Outcome]) -> Procedure[Outcome]:
        """Run the procedure and record its outcome or its refusal, which is raised again."""
        try:
            outcome = yield from procedure
        except (Busy, Detached):
            raise
        except Exception as error:
            refusal = aws.translate(error)
            if _blind(refusal or error):
                raise  # what was begun continues; the next command closes the release
            if isinstance(error, OpsError) or (refusal and aws.fault(error) == "refused"):
                reason = refusal.message if refusal else str(error)
                yield from self.end(Outcome("failed", reason))
            raise
        try:
            if outcome.kind == "superseded":
                outcome = yield from self._by_whom(outcome)
            elif outcome.kind == "rolled-back":
                outcome = yield from self._cancelled_by(outcome)
        except Exception as error:
            _require_silence(error)  # what is known of the outcome is worth more
        yield from self.end(outcome)
        return outcome

    def _by_whom(self, outcome: Outcome) -> Procedure[Outcome]:
        """Return the outcome with the release that came after ours, if the ledger has one."""
        now = yield from look_at(Look(frozenset({"releases"}), (), releases=3))
        mine = self.release.number if self.release else 0
        later = [one for one in now.releases if one.number > mine > 0]
        if not later:
            return outcome
        by = f"release {later[-1].number} by {later[-1].name}"
        return replace(outcome, reason=f"{outcome.reason}, {by}")

    def _cancelled_by(self, outcome: Outcome) -> Procedure[Outcome]:
        """Return the outcome with who took our lock. Only a rollback does, to cancel our roll."""
        if self.release is None:
            return outcome
        now = yield from look_at(Look(frozenset({"locks"}), ("ecs",)))
        lock = now.locks.get("ecs")
        if lock is None or lock.process == self.release.process or "rollback" not in lock.command:
            return outcome
        if lock.since is None or lock.since < self.release.begun:
            return outcome
        self.taken_over = True
        reason = f"cancelled by {lock.holder}: {lock.command}"
        return Outcome("rolled-back", reason, cause="someone-else-is-deploying")

    def end(self, outcome: Outcome) -> Procedure[None]:
        """Close the release. When AWS does not answer, that is a warning: the outcome is told."""
        if self.release is None or not self.release.running or outcome.kind in _OPEN:
            return
        try:
            yield from self._end(self.release, outcome)
        except Exception as error:
            silence = _require_silence(error)
            yield Notice(
                f"the outcome of release {self.release.number} ({outcome.kind}) is not in the "
                f"history yet: {silence.message}; the next command writes it",
                warning=True,
            )

    def _end(self, release: Release, outcome: Outcome) -> Procedure[None]:
        if outcome.kind == "no-changes":
            outcome = Outcome("superseded", "somebody else released the same image first")
        if outcome.kind == "done":
            outcome = replace(outcome, kind="deployed")
        now = yield from look_at(Look(frozenset({"service"}), ()))
        primary = now.primary
        self.release = yield from ledger.end(
            self._clients,
            self._system,
            release,
            outcome,
            now=self._clients.clock.now(),
            definition=primary.revision if primary else "",
            deployment=primary.id if primary else "",
        )
