"""`db` and `ecs` as a user runs them: real processes, real HTTP, the state in AWS afterwards."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.end_to_end.place import Place, events


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    return system("stacks")


def status_of(place: Place, stack: str) -> str:
    client = boto3.client("cloudformation", **_connection(place))
    return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def _connection(place: Place) -> dict[str, Any]:
    return {
        "endpoint_url": place.env["AWS_ENDPOINT_URL"],
        "region_name": place.env["AWS_REGION"],
        "aws_access_key_id": place.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": place.env["AWS_SECRET_ACCESS_KEY"],
    }


def test_a_plan_of_a_new_stack_exits_2_and_leaves_nothing_behind(place: Place) -> None:
    done = place.opsctl("db", "plan", "--json")

    assert done.returncode == 2, done.stderr
    [plan] = events(done, "plan")
    assert {change["action"] for change in plan["changes"]} == {"Add"}
    assert "does not exist" in place.opsctl("db", "status").stderr


def test_without_a_terminal_and_without_yes_nothing_is_done(place: Place) -> None:
    done = place.opsctl("db", "up")

    assert done.returncode == 2
    assert "hint: add --yes when you are sure" in done.stderr


def test_ecs_up_asks_for_the_database_first(place: Place) -> None:
    done = place.opsctl("ecs", "up", "--yes")

    assert done.returncode == 1
    assert "hint: opsctl db up" in done.stderr


def test_db_up_shows_every_event_and_its_outputs_and_a_second_time_changes_nothing(
    place: Place,
) -> None:
    first = place.opsctl("db", "up", "--yes", "--json")

    assert first.returncode == 0, first.stderr
    assert status_of(place, "stacks-db") == "CREATE_COMPLETE"
    shown = events(first, "stack_event")
    assert shown[-1]["status"] == "CREATE_COMPLETE"
    told = {(each["logical_id"], each["status"], each["reason"]) for each in shown}
    assert len(told) == len(shown)
    assert ":" in events(first, "stack")[0]["outputs"]["RedisEndpoint"]

    second = place.opsctl("db", "up", "--yes")

    assert second.returncode == 0
    assert "`stacks-db`: no changes" in second.stderr


def test_ecs_up_makes_the_repository_then_everything_but_the_service(place: Place) -> None:
    done = place.opsctl("ecs", "up", "--yes")

    assert done.returncode == 0, done.stderr
    assert status_of(place, "stacks-ecr") == "CREATE_COMPLETE"
    assert status_of(place, "stacks-ecs") == "CREATE_COMPLETE"
    assert "next: opsctl update-tasks" in done.stderr
    services = boto3.client("ecs", **_connection(place)).list_services(cluster="stacks")
    assert services["serviceArns"] == []

    assert place.opsctl("ecs", "plan").returncode == 0


def test_alarms_are_made_silent_and_say_why_they_have_their_states(place: Place) -> None:
    made = place.opsctl("alarms", "up", "--yes")

    assert made.returncode == 0, made.stderr
    assert "the alarms take no action until then" in made.stderr
    assert status_of(place, "stacks-alarms") == "CREATE_COMPLETE"
    assert place.opsctl("alarms", "plan").returncode == 0

    shown = place.opsctl("alarms", "status", "--json")
    alarms = {one["name"]: one for one in events(shown, "alarm")}
    assert not any(one["actions"] for one in alarms.values())
    told = place.opsctl("alarms", "explain", "running-tasks")
    assert "no sample means that no task runs" in told.stdout
    assert place.opsctl("alarms", "test", "running-tasks", "--yes").returncode == 1
    played = events(place.opsctl("alarms", "backtest", "--since", "1h", "--json"), "alarm_backtest")
    assert {one["name"] for one in played} == set(alarms)

    removed = place.opsctl("alarms", "down", "--confirm", "stacks-alarms")
    assert removed.returncode == 0, removed.stderr


def test_db_down_is_refused_while_the_service_uses_it(place: Place) -> None:
    done = place.opsctl("db", "down", "--yes")

    assert done.returncode == 1
    assert "`stacks-db` cannot go while `stacks-ecs` uses it" in done.stderr
    assert "hint: opsctl ecs down" in done.stderr


def test_down_in_reverse_order_leaves_nothing(place: Place) -> None:
    names = ("--confirm", "stacks-ecs", "--confirm", "stacks-ecr")
    removed = place.opsctl("ecs", "down", "--repository", *names)
    assert removed.returncode == 0, removed.stderr
    done = place.opsctl("db", "down", "--confirm", "stacks-db")

    assert done.returncode == 0, done.stderr
    for stack in ("db", "ecs", "ecr"):
        assert "does not exist" in place.opsctl("db", "status").stderr, stack


def test_a_stack_that_is_not_ours_is_never_touched(system: Callable[[str], Place]) -> None:
    place = system("foreign")
    boto3.client("cloudformation", **_connection(place)).create_stack(
        StackName="foreign-db",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )

    done = place.opsctl("db", "up", "--yes")

    assert done.returncode == 1
    assert "was not made by opsctl" in done.stderr
    assert place.opsctl("db", "down", "--yes").returncode == 1
