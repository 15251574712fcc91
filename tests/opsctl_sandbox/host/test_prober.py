"""What a health check says of a target that is still starting."""

from opsctl_sandbox.host import prober


def test_a_target_that_starts_is_not_failed_before_it_had_the_time_for_it() -> None:
    now, seen = 0.0, []
    report = prober.once_up(lambda ok, _: seen.append(ok), within=6.0, clock=lambda: now)
    report(False, "Target.FailedHealthChecks")
    assert seen == []
    now = 6.0
    report(False, "Target.FailedHealthChecks")
    assert seen == [False]


def test_one_that_was_up_is_failed_at_once() -> None:
    seen: list[bool] = []
    report = prober.once_up(lambda ok, _: seen.append(ok), within=6.0, clock=lambda: 0.0)
    report(True, "")
    report(False, "Target.Timeout")
    assert seen == [True, False]
