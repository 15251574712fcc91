"""Live alarms as they are after `alarms up`, for the tests of what is read from them."""

from dataclasses import replace
from typing import Any

from opsctl.alarms.catalogue import OPERATORS
from opsctl.alarms.watched import Watched, watched
from opsctl.config.model import Config
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.snapshot import Snapshot
from tests.opsctl.snapshots import OLD_IMAGE, START, config, stack, stacks

TOPIC = "arn:aws:sns:us-east-1:1:web-alarms"
CONFIG = config("ecs.desired_count=2")
OUTPUTS = {
    "LoadBalancerFullName": "net/web/1",
    "TargetGroupFullName": "targetgroup/web/1",
    "AutoScalingGroupName": "web",
}


def seen(*, image: str = OLD_IMAGE, live: bool = True, seconds: float = 0, **more: Any) -> Snapshot:
    """Both stacks, and every alarm of the catalogue, with `more` set for running-tasks."""
    ecs = stack("ecs", "UPDATE_COMPLETE", parameters={"Image": image}, outputs=OUTPUTS)
    made = stack("alarms", "CREATE_COMPLETE", outputs={"TopicArn": TOPIC})
    now = stacks(ecs, *([made] if live else []), seconds=seconds)
    if not live:
        return now
    states = [_state(one) for one in watched(now, CONFIG)]
    changed = [replace(one, **more) if one.name == "web-running-tasks" else one for one in states]
    return replace(now, alarms=tuple(changed))


def of(now: Snapshot, name: str, of_config: Config = CONFIG) -> Watched:
    [one] = [one for one in watched(now, of_config) if one.alarm.name == name]
    return one


def _state(one: Watched) -> AlarmState:
    assert one.query is not None
    alarm = one.alarm
    return AlarmState(
        one.name,
        "OK",
        since=START,
        metric=alarm.metric,
        threshold=float(alarm.threshold),
        comparison=OPERATORS[alarm.comparison],
        namespace=alarm.namespace,
        dimensions=tuple(sorted(one.query.dimensions.items())),
        statistic=alarm.statistic,
        period=alarm.period,
        periods=alarm.periods,
        points=alarm.points,
        missing=alarm.missing,
        to=(TOPIC,),
        to_ok=(TOPIC,),
    )
