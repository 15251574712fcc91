from typing import Any, cast

import pytest

from opsctl.alarms.actions import switch_on
from opsctl.alarms.trial import Rung, trial
from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.alarms.live import CONFIG, TOPIC, seen
from tests.opsctl.snapshots import Driven
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal


class CloudWatch:
    def __init__(self) -> None:
        self.states: list[str] = []
        self.enabled: list[str] = []
        self.fails: Exception | None = None

    def set_alarm_state(self, *, AlarmName: str, StateValue: str, StateReason: str) -> None:
        assert AlarmName == "web-running-tasks" and "nothing is wrong" in StateReason
        if self.fails and StateValue != "ALARM":
            raise self.fails
        self.states.append(StateValue)

    def enable_alarm_actions(self, *, AlarmNames: list[str]) -> None:
        if self.fails:
            raise self.fails
        self.enabled += AlarmNames


class World:
    def __init__(self, **live: Any) -> None:
        self.cloudwatch, self.live = CloudWatch(), live
        self.clients = cast(Any, Clients(CloudFormation(), cloudwatch=self.cloudwatch))

    def look(self, look: Look) -> Snapshot:
        rings = {"state": self.cloudwatch.states[-1]} if self.cloudwatch.states else {}
        return seen(**{**self.live, **rings})

    def test(self, *answers: bool) -> Driven:
        return Driven(trial(self.clients, CONFIG, "running-tasks"), self.look, answers)


def test_an_alarm_rings_and_is_put_back_and_says_where_its_message_went() -> None:
    world = World()
    driven = world.test(True)
    assert driven.result.kind == "done"
    assert world.cloudwatch.states == ["ALARM", "OK"]
    assert driven.of(Rung) == [Rung("web-running-tasks", (TOPIC,), "OK")]
    assert "its message goes to web-alarms" in driven.questions[0].text


def test_after_a_no_no_alarm_rings() -> None:
    world = World()
    assert world.test(False).result.kind == "cancelled"
    assert world.cloudwatch.states == []


def test_ctrl_c_leaves_no_alarm_ringing() -> None:
    world = World()
    procedure = trial(world.clients, CONFIG, "running-tasks")
    next(procedure)
    procedure.send(seen())
    procedure.send(True)
    procedure.close()
    assert world.cloudwatch.states == ["ALARM", "OK"]


def test_an_alarm_that_cannot_be_set_back_is_reported_and_the_first_error_stays() -> None:
    world = World()
    world.cloudwatch.fails = refusal("SetAlarmState", "AccessDenied")
    assert world.test(True).result.kind == "done"
    assert "rings until CloudWatch evaluates it again" in world.clients.left[0]
    procedure = trial(world.clients, CONFIG, "running-tasks")
    next(procedure)
    world.cloudwatch.states.clear()
    procedure.send(seen())
    procedure.send(True)
    with pytest.raises(KeyboardInterrupt):
        procedure.throw(KeyboardInterrupt())


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        ({"live": False}, "there is no alarm"),
        ({"actions": False}, "takes no action"),
        ({"to": ()}, "notifies nobody"),
        ({"state": "ALARM"}, "rings already"),
    ],
)
def test_an_alarm_that_nobody_would_hear_is_not_tried(live: dict[str, Any], reason: str) -> None:
    with pytest.raises(OpsError, match=reason):
        World(**live).test(True)


def test_the_first_release_lets_the_alarms_take_their_actions() -> None:
    world = World(actions=False)
    driven = Driven(switch_on(world.clients, CONFIG), world.look)
    assert world.cloudwatch.enabled == ["web-running-tasks"]
    assert driven.of(Notice)[0].text.startswith("the first release is out: 1 alarm ")


def test_where_all_alarms_take_their_actions_or_there_are_none_nothing_is_done() -> None:
    for world in (World(), World(live=False)):
        assert Driven(switch_on(world.clients, CONFIG), world.look).of(Notice) == []
        assert world.cloudwatch.enabled == []


def test_without_permission_to_enable_alarms_the_release_warns_and_succeeds() -> None:
    world = World(actions=False)
    world.cloudwatch.fails = refusal("EnableAlarmActions", "AccessDenied")
    [notice] = Driven(switch_on(world.clients, CONFIG), world.look).of(Notice)
    assert notice.warning and "opsctl alarms up" in notice.text
