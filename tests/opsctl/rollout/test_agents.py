"""An agent reconnects every half hour; in these seconds its instance takes no tasks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.rollout import scale
from opsctl.rollout.plan import RollPlan
from opsctl.rollout.scale import ScalePlan
from tests.opsctl.rollout.test_plan import INSTANCES, STEADY
from tests.opsctl.rollout.test_roll import World, at
from tests.opsctl.rollout.test_scale import CONFIG, TWO
from tests.opsctl.snapshots import Driven
from tests.opsctl.stacks.fake import Clients, CloudFormation

# The first instance has no room, and the other one's agent is reconnecting.
FULL = (replace(INSTANCES[0], cpu=0), replace(INSTANCES[1], connected=False))
BACK = (replace(INSTANCES[0], cpu=0), INSTANCES[1])


def test_a_release_waits_for_an_agent_that_reconnects() -> None:
    silent, back = replace(STEADY, instances=FULL), replace(STEADY, instances=BACK)
    driven = World(silent, at(silent, 4), at(back, 8), dry=True).driven
    [plan] = driven.of(RollPlan)
    assert plan.forecast is not None and plan.forecast.can_roll
    [notice] = [one for one in driven.of(Notice) if "ECS agent" in one.text]
    assert INSTANCES[1].id in notice.text


def test_a_release_without_room_is_refused_once_the_agent_stays_away() -> None:
    silent = replace(STEADY, instances=FULL)
    with pytest.raises(OpsError, match="cannot start"):
        World(silent, at(silent, 8), at(silent, 16), dry=True)


def test_a_release_that_fits_elsewhere_does_not_wait() -> None:
    one_silent = replace(STEADY, instances=(INSTANCES[0], FULL[1]))
    driven = World(one_silent, dry=True).driven
    assert not [one for one in driven.of(Notice) if "ECS agent" in one.text]


def test_more_tasks_wait_for_an_agent_that_reconnects() -> None:
    silent, back = replace(TWO, instances=FULL), replace(TWO, instances=BACK)
    driven = Driven(scale.preview(CONFIG, 3), [silent, at(silent, 4), at(back, 8)])
    [plan] = driven.of(ScalePlan)
    assert plan.room and driven.result is True
    with pytest.raises(OpsError, match="the instances have room for 0"):
        Driven(scale.preview(CONFIG, 3), [silent, at(silent, 8), at(silent, 16)])


def test_fewer_tasks_do_not_wait() -> None:
    silent = replace(TWO, instances=FULL)
    clients = cast(Any, Clients(CloudFormation()))
    driven = Driven(
        scale.scale(clients, CONFIG, 1, timeout=timedelta(minutes=5)), [silent], [False]
    )
    assert driven.result.kind == "cancelled"
