"""An alarm that rings is a cause while nothing else is wrong."""

from dataclasses import replace

from opsctl.cause.rank import rank
from opsctl.cli.screens.status import health
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.snapshot import Look
from tests.opsctl.cause.histories import history, ids
from tests.opsctl.cause.test_ranking import ROLLED_BACK, STEADY
from tests.opsctl.snapshots import stack

RINGS = AlarmState("web-cache-cpu", "ALARM", "Threshold Crossed: 1 datapoint [91.0]")
QUIET = AlarmState("web-service-cpu", "OK")


def test_status_and_why_agree_about_an_alarm_that_rings() -> None:
    now = replace(STEADY, alarms=(QUIET, RINGS))
    [cause] = rank(history(now))
    assert (cause.id, cause.hinders) == ("alarm-rings", False)
    assert cause.sentence.startswith("`web-cache-cpu` rings")
    assert cause.evidence[0].quote == "web-cache-cpu: Threshold Crossed: 1 datapoint [91.0]"
    assert cause.next == "opsctl alarms explain web-cache-cpu"
    assert health(now, (cause,))[0] == "degraded"


def test_quiet_alarms_are_no_cause() -> None:
    assert ids(replace(STEADY, alarms=(QUIET,))) == []


def test_it_stands_behind_what_is_over() -> None:
    state = stack("ecs", "UPDATE_ROLLBACK_COMPLETE")
    now = replace(STEADY, alarms=(RINGS,), stacks={"ecs": state})
    causes = rank(history(now, failures=(ROLLED_BACK,)))
    assert len(causes) > 1 and "alarm-rings" not in [one.id for one in causes[:-1]]


def test_it_is_left_out_beside_what_is_wrong_now() -> None:
    look = Look(frozenset({"service", "stacks"}), ("ecs",))
    made = stack("ecs", "UPDATE_COMPLETE", outputs={"ServiceArn": "arn:aws:ecs:x/web"})
    gone = replace(STEADY, service=None, alarms=(RINGS,), stacks={"ecs": made}, look=look)
    assert ids(gone)[0] == "service-gone" and "alarm-rings" not in ids(gone)
