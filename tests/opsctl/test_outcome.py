import pytest

from opsctl.errors import Detached, OpsError, RolledBack, StackFailed, Superseded, TimedOut
from opsctl.outcome import ENDS, Outcome, OutcomeKind


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("failed", StackFailed, 1),
        ("deployed-unhealthy", OpsError, 1),
        ("timed-out", TimedOut, 4),
        ("rolled-back", RolledBack, 5),
        ("superseded", Superseded, 6),
        ("cancelled", Detached, 7),
        ("detached", Detached, 7),
    ],
)
def test_each_outcome_that_is_not_good_has_its_exit_code(
    kind: OutcomeKind, error: type[OpsError], code: int
) -> None:
    with pytest.raises(error, match="why") as caught:
        Outcome(kind, "why", "opsctl next").require()
    assert (caught.value.exit_code, caught.value.hint) == (code, "opsctl next")


@pytest.mark.parametrize("kind", [kind for kind, end in ENDS.items() if end is None])
def test_a_good_outcome_raises_nothing(kind: OutcomeKind) -> None:
    Outcome(kind).require()
    assert Outcome(kind).good
