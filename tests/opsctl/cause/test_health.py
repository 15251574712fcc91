"""Targets that are unhealthy or gone: why, and where to look."""

from dataclasses import replace

import pytest

from opsctl.snapshot.service import ServiceEvent
from opsctl.snapshot.targets import Target
from tests.opsctl.cause.histories import first, ids, later
from tests.opsctl.snapshots import NEW, OLD, deployment, service, snapshot

STEADY = snapshot(deployment("d1", OLD))


def test_unhealthy_targets_are_explained_by_their_reason_code() -> None:
    for code, words in (
        ("Target.Timeout", "not answered in time"),
        ("Target.ResponseCodeMismatch", "another status"),
        ("Target.FailedHealthChecks", "refused or broken off"),
        ("Target.NotInUse", "belongs to no listener"),
    ):
        targets = (Target("i-1:80", "unhealthy", code, "Health checks failed"),)
        top = first(replace(STEADY, targets=targets))
        assert top.id == "target-unhealthy" and words in top.sentence


@pytest.mark.parametrize(("status", "next"), [(404, "config show"), (503, "logs tail")])
def test_a_path_that_the_service_does_not_have_is_looked_for_in_the_config(
    status: int, next: str
) -> None:
    words = f"Health checks failed with these codes: [{status}]"
    refused = Target("i-1:80", "unhealthy", "Target.ResponseCodeMismatch", words)
    best = first(snapshot(deployment("d1", NEW), targets=(refused,)))
    assert best.id == "target-unhealthy" and next in best.next


def test_targets_that_are_gone_are_explained_by_the_event_of_ecs() -> None:
    # Between the stop of a task and its end, neither the task nor the target says why.
    words = (
        "(service web) (port 80) is unhealthy in (target-group g) due to (reason Request timed out)"
    )
    trip = "ECS deployment circuit breaker: tasks failed to start."
    rolling = replace(
        service(deployment("d2", NEW, running=0, state="FAILED", reason=trip)),
        events=(ServiceEvent("1", words, later(10)),),
    )
    now = snapshot(service=rolling, seconds=20)
    assert ids(now)[0] == "target-unhealthy"
    assert "target-unhealthy" not in ids(replace(now, at=later(3600)))
    assert "target-unhealthy" not in ids(replace(STEADY, at=later(20)))
