"""What a person and a program read of instances that are replaced."""

import json

import pytest

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.instances import InstancesScreen
from opsctl.rollout.instances import InstancePlan, Replacement, Step

PLAN = InstancePlan((Replacement("i-1", "its image is ami-1, not ami-2"),), 2, grow=True)


def test_the_plan_says_which_go_why_and_how_long_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    InstancesScreen(Console(json=False), data=True).show(PLAN)
    assert capsys.readouterr().out == (
        "1 instance is replaced, one after another (~5 min); "
        "a new one joins before an old one goes:\n"
        "  ! i-1  its image is ami-1, not ami-2\n"
    )


def test_where_the_group_may_not_grow_the_tasks_move_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    InstancesScreen(Console(json=False), data=True).show(
        InstancePlan(PLAN.replacements * 2, 2, False)
    )
    assert "2 instances are replaced" in (said := capsys.readouterr().out)
    assert "tasks move to the others before an old one goes" in said


def test_nothing_to_replace_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    InstancesScreen(Console(json=False)).show(InstancePlan((), 2, grow=True))
    assert capsys.readouterr().err == "no instance has to be replaced\n"
    # The last old one may be draining.
    InstancesScreen(Console(json=False)).show(InstancePlan((), 2, grow=True, under_way=True))
    assert "what was interrupted goes on" in capsys.readouterr().err


def test_a_program_gets_objects(capsys: pytest.CaptureFixture[str]) -> None:
    screen = InstancesScreen(Console(json=True))
    assert screen.show(PLAN) and screen.show(Step("drain", "draining i-1", "i-1"))
    plan, step = map(json.loads, capsys.readouterr().out.splitlines())
    assert plan["type"] == "instance_plan" and plan["usual_seconds"] == 300
    assert plan["replacements"] == [{"instance": "i-1", "why": "its image is ami-1, not ami-2"}]
    assert step["type"] == "instance_step" and step["action"] == "drain"


def test_the_screen_ignores_other_items() -> None:
    assert not InstancesScreen(Console(json=False)).show("x")
