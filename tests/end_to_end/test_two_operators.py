"""Two people at one stack, and people who leave: nothing is lost, nothing is left unsaid."""

import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.end_to_end.place import Place, events, spawn
from tests.end_to_end.test_terminal import exit_code, terminal
from tests.end_to_end.test_update_tasks import push_for
from tests.opsctl_sandbox.clients import client_of


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    place = system("people")
    assert place.opsctl("db", "up", "--yes").returncode == 0
    return place


def cloudformation(place: Place) -> Any:
    return closing(client_of(place.env, "cloudformation"))


def change_sets(place: Place, stack: str = "people-db") -> list[str]:
    """Those that could still be executed."""
    with cloudformation(place) as aws:
        listed = aws.list_change_sets(StackName=stack)["Summaries"]
    return [one["ChangeSetName"] for one in listed if one["ExecutionStatus"] == "AVAILABLE"]


CHANGE = ("--set", "db.maintenance_window=sun:03:00-sun:04:00")


def test_a_no_of_the_one_does_not_touch_what_the_other_made(system: Callable[[str], Place]) -> None:
    # A1: the answer "n" once deleted the live stack that somebody else had made meanwhile.
    place = system("quick")
    slow = terminal(place, "db", "up")
    slow.expect("apply this to")
    assert place.opsctl("db", "up", "--yes").returncode == 0
    slow.sendline("n")
    assert exit_code(slow) == 7
    assert "CREATE_COMPLETE" in place.opsctl("db", "status").stdout


def test_who_answers_yes_too_late_gets_a_new_plan(place: Place) -> None:
    # A4: ChangeSetNotFound once ended the command with exit code 3.
    late = terminal(place, "db", "up", *CHANGE)
    late.expect("apply this to")
    done = place.opsctl("db", "up", "--yes", "--set", "db.maintenance_window=mon:03:00-mon:04:00")
    assert done.returncode == 0, done.stderr
    late.sendline("y")
    late.expect("looking again")
    late.expect("apply this to")
    late.sendline("n")
    assert exit_code(late) == 7
    assert change_sets(place) == []


def test_a_stack_that_is_deleted_by_hand_while_it_is_made_is_not_done(
    system: Callable[[str], Place],
) -> None:
    # A5: `"outcome": "done"`, exit code 0.
    place = system("deleted")
    command = spawn(place, "db", "up", "--yes", "--json")
    assert command.stderr is not None and command.stdout is not None
    with command.stderr, command.stdout:
        for line in command.stdout:
            if "CREATE_IN_PROGRESS" in line and "CacheCluster" in line:
                with cloudformation(place) as aws:
                    aws.delete_stack(StackName="deleted-db")
                break
        rest = command.stdout.read()
    assert command.wait(timeout=60) == 1
    assert '"outcome": "failed"' in rest and '"outcome": "done"' not in rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whoever_leaves_at_the_question_leaves_no_change_set(place: Place, number: int) -> None:
    # A7: the change set stayed, unsaid.
    child = terminal(place, "db", "up", *CHANGE)
    child.expect("apply this to")
    assert len(change_sets(place)) == 1
    child.kill(number)
    assert exit_code(child) == 128 + number
    assert change_sets(place) == []


def test_a_closed_terminal_leaves_no_change_set(place: Place) -> None:
    child = terminal(place, "db", "up", *CHANGE)
    child.expect("apply this to")
    child.close(force=False)
    for _ in range(50):
        if not change_sets(place):
            break
        time.sleep(0.1)
    assert change_sets(place) == []


def test_a_plan_never_misleads_with_another_account(place: Place) -> None:
    # A8, D4: a change set and a stack were made there and deleted.
    for words in (("db", "plan"), ("db", "up", "--dry-run"), ("ecs", "plan")):
        done = place.opsctl("--set", "aws.account=999999999999", *words, "--debug")
        assert done.returncode == 3, done.stderr
        assert "CreateChangeSet" not in done.stderr


def test_a_dry_run_with_a_bad_config_does_not_say_that_something_would_change(
    place: Place,
) -> None:
    # D5, B4: decided by the command, not by a word on its line.
    for words in (("db", "plan"), ("db", "up", "--dry-run"), ("update-tasks", "--dry-run")):
        assert place.opsctl(*words, "--set", "db.port=no").returncode == 64
    assert place.opsctl("logs", "tail", "--grep", "plan", "--level", "nonsense").returncode == 2


def test_removing_the_cache_takes_its_name_and_not_only_a_yes(place: Place) -> None:
    # D8
    done = place.opsctl("db", "down", "--yes")
    assert done.returncode == 2
    assert "hint: add --confirm people-db when you are sure" in done.stderr


def test_images_stay_when_the_repository_is_not_confirmed(system: Callable[[str], Place]) -> None:
    # A2, D1: all images were deleted, and then "nothing was done".
    place = system("images")
    place.stand_up(tasks=2)
    push_for(place, "images", "kept")
    done = place.opsctl("ecs", "down", "--repository", "--confirm", "images-ecs")
    assert done.returncode == 2, done.stderr
    with closing(client_of(place.env, "ecr")) as ecr:
        assert len(ecr.list_images(repositoryName="images")["imageIds"]) == 1


def test_hints_lead_back_to_the_same_environment(place: Place) -> None:
    # B1: `opsctl ecs down`, pasted, would have taken down the base system.
    (place.folder / "other.yaml").write_text((place.folder / "opsctl.yaml").read_text())
    done = place.opsctl("--config", "other.yaml", "--set", "name=nothing", "ecs", "up", "--yes")
    assert "hint: opsctl --config other.yaml --set name=nothing db up" in done.stderr


def test_the_plan_is_data_and_the_talk_is_not(place: Place) -> None:
    # B3: `ecs plan > file` was empty.
    done = place.opsctl("ecs", "plan")
    assert done.returncode == 2 and "+ Cluster  AWS::ECS::Cluster" in done.stdout
    [plan] = events(place.opsctl("db", "plan", "--json"), "plan")
    assert plan["stack"] == "people-db"


def test_what_is_checked_ends_with_what_it_is(place: Place) -> None:
    # There is a cache, and no service yet.
    for words, code, health in (("cluster", 10, "degraded: "), ("lb", 11, "unknown: ")):
        done = place.opsctl("metrics", words, "--check")
        assert done.returncode == code and done.stdout.startswith(health), done.stdout
