"""Two operators at once on every flow: both end with 0 or a true sentence, and never with 3.

`ROUNDS=20` plays each flow so many times, and kills each at all of its moments.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.end_to_end.place import ROOT, Place, require_hints
from tests.end_to_end.test_releases import System, spawn
from tests.opsctl_sandbox.clients import client_of

ROUNDS = int(os.environ.get("ROUNDS", "2"))
pytestmark = pytest.mark.timeout(120 + 60 * ROUNDS)
WINDOWS = ("sun:03:00-sun:04:00", "mon:03:00-mon:04:00")


def both(
    place: Place, first: list[str], second: list[str], *, apart: float = 0.0
) -> list[tuple[int, str]]:
    """The exit codes and the screens of two commands that are started `apart` seconds."""
    started: list[subprocess.Popen[str]] = []
    for words in (first, second):
        started.append(spawn(place, *words))
        time.sleep(apart)
    ends = [one.communicate(timeout=110) for one in started]
    for words, (data, talk) in zip((first, second), ends, strict=True):
        require_hints(data, talk, words, place.environ, place.folder)
    return [(one.returncode, said) for one, (_, said) in zip(started, ends, strict=True)]


def require_true(ends: list[tuple[int, str]]) -> None:
    for code, said in ends:
        assert "Traceback" not in said, said
        assert code != 3, said
        # Whoever does not end with 0 says in a sentence why.
        assert code == 0 or "error: " in said, said


def status(place: Place, stack: str) -> str:
    with closing(client_of(place.env, "cloudformation")) as aws:
        try:
            [found] = aws.describe_stacks(StackName=stack)["Stacks"]
        except aws.exceptions.ClientError:
            return ""
        return str(found["StackStatus"])


def locks(system: str, place: Place) -> list[str]:
    """The locks that are still held."""
    with closing(client_of(place.env, "ssm")) as ssm:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=f"/opsctl/{system}/locks", Recursive=True
        )
        names = {one["Name"] for page in pages for one in page["Parameters"]}
    return [name for name in names if name[-1].isdigit() and f"{name}/closed" not in names]


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_the_database_is_made_changed_and_removed_by_two(
    system: Callable[[str], Place], apart: float
) -> None:
    for number in range(ROUNDS):
        name = f"hands{int(apart * 10)}-{number}"
        place = system(name)
        up = ["db", "up", "--yes"]
        ends = both(place, up, up, apart=apart)
        require_true(ends)
        assert [code for code, _ in ends] == [0, 0], ends
        one, other = ([*up, "--set", f"db.maintenance_window={window}"] for window in WINDOWS)
        ends = both(place, one, other, apart=apart)
        require_true(ends)
        assert [code for code, _ in ends] == [0, 0], ends
        down = ["db", "down", "--yes", "--confirm", f"{name}-db"]
        ends = both(place, down, down, apart=apart)
        require_true(ends)
        assert status(place, f"{name}-db") == "" and locks(name, place) == []


def test_one_makes_what_the_other_removes(system: Callable[[str], Place]) -> None:
    for number in range(ROUNDS):
        name = f"tug-{number}"
        place = system(name)
        assert place.opsctl("db", "up", "--yes").returncode == 0
        change = ["db", "up", "--yes", "--set", f"db.maintenance_window={WINDOWS[0]}"]
        down = ["db", "down", "--yes", "--confirm", f"{name}-db"]
        require_true(both(place, change, down, apart=0.3 * number))
        assert status(place, f"{name}-db") in ("", "CREATE_COMPLETE", "UPDATE_COMPLETE")
        assert locks(name, place) == []


@pytest.fixture(scope="module")
def shared(system: Callable[[str], Place]) -> System:
    place = system("shared")
    place.stand_up(tasks=2)
    made = System("shared", place)
    made.release("first")
    return made


def test_two_releases_at_once_are_two_releases(shared: System) -> None:
    for number in range(ROUNDS):
        before = len(shared.history())
        images = [shared.push(f"r{number}-{one}") for one in "ab"]
        one, other = (["update-tasks", "--yes", "--image", image] for image in images)
        ends = both(shared.place, one, other, apart=0.4 * (number % 3))
        require_true(ends)
        assert [code for code, _ in ends] == [0, 0], ends
        kept = shared.history()
        assert len(kept) == before + 2 and {one["outcome"] for one in kept} == {"deployed"}
        numbers = [one["number"] for one in kept]
        assert numbers == sorted(set(numbers), reverse=True)
        assert shared.running() == {kept[0]["image"]}
        assert locks("shared", shared.place) == []


def test_a_release_and_a_change_of_the_stack_or_a_restart_at_once(shared: System) -> None:
    for number in range(ROUNDS):
        image = shared.push(f"s{number}")
        roll = ["update-tasks", "--yes", "--image", image]
        change = ["ecs", "up", "--yes", "--set", f"logs.retention_days={(3, 5)[number % 4 // 2]}"]
        other = (change, ["ecs", "restart", "--yes"])[number % 2]
        ends = both(shared.place, roll, other, apart=0.5 * (number % 4 // 2))
        require_true(ends)
        assert shared.running() == {image}, ends
        assert locks("shared", shared.place) == []


def test_two_rollbacks_and_a_rollback_during_a_release(shared: System) -> None:
    for number in range(ROUNDS):
        images = [shared.release(f"t{number}-{one}") for one in "ab"]
        back = ["rollback", "--yes"]
        require_true(both(shared.place, back, back, apart=0.3 * (number % 3)))
        bad = ["update-tasks", "--yes", "--image", shared.push(f"u{number}")]
        ends = both(shared.place, bad, back, apart=1.0)
        require_true(ends)
        assert len(shared.running()) == 1 and images
        assert locks("shared", shared.place) == []
        assert not [one for one in shared.history() if one["outcome"] == "running"]


# Where a command is killed with -9: right before the n-th call of an operation.
MOMENTS = {
    "before the lock": ("ssm PutParameter", 1),
    "before the ledger's entry": ("ssm PutParameter", 2),
    "before the ledger's pointer": ("ssm PutParameter", 3),
    "after the change set": ("cloudformation DescribeChangeSet", 1),
    "before execute": ("cloudformation ExecuteChangeSet", 1),
    "after execute": ("cloudformation DescribeStackEvents", 2),
    "in the middle of the roll": ("cloudformation DescribeStackEvents", 5),
    "before the close": ("ssm PutParameter", 4),
    "before the lock's end": ("ssm PutParameter", 5),
}
COPY = {"before the copy": ("ecr GetAuthorizationToken", 2)}
FLOWS: dict[str, tuple[str, ...]] = {
    "release": ("update-tasks", "--image", "IMAGE"),
    "rollback": ("rollback",),
    "stack": ("ecs", "up", "--set", "ecs.memory=MEMORY"),
    "promotion": ("update-tasks", "--image", "ELSEWHERE"),
}
KILLS = [
    (flow, moment)
    for flow in FLOWS
    for moment in (*MOMENTS, *(COPY if flow == "promotion" else ()))
    # A rollback that has said "deployed" is done: given again, it goes further back.
    if (flow, moment) != ("rollback", "before the lock's end")
]
# `make test` takes two; the pure test_killed.py of releases kills at every call.
SAMPLE = [("release", "after execute"), ("rollback", "before the close")]
CHOSEN = KILLS if ROUNDS >= 20 else SAMPLE


def line(shared: System, flow: str, number: int) -> list[str]:
    """The command, with an image or a size that nobody has had yet."""
    words = " ".join((*FLOWS[flow], "--yes"))
    if flow in ("release", "promotion"):
        repository = "" if flow == "release" else "elsewhere"
        image = shared.push(f"k{number}", repository=repository)
        words = words.replace("IMAGE", image).replace("ELSEWHERE", image)
    return words.replace("MEMORY", str(300 + number)).split()


def killed(place: Place, moment: tuple[str, int], words: list[str]) -> int:
    call, number = moment
    done = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.dying", call, str(number), *words],
        cwd=place.folder,
        env={**place.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=110,
    )
    return done.returncode


def test_a_command_that_is_killed_is_closed_by_the_next_look_and_given_again_ends_right(
    shared: System,
) -> None:
    with shared.aws("ecr") as ecr:
        ecr.create_repository(repositoryName="elsewhere")
    struck: list[tuple[str, str]] = []
    for number, (flow, moment) in enumerate(CHOSEN):
        if flow == "rollback":
            shared.release(f"good{number}")
        before = shared.history()
        words = line(shared, flow, number)
        code = killed(shared.place, {**MOMENTS, **COPY}[moment], words)
        assert code in (-9, 0), (flow, moment)
        struck += [(flow, moment)] if code else []
        seen = shared.history()
        numbers = [one["number"] for one in seen]
        # At most one release more, its number taken once, and nothing of the old ones lost.
        assert numbers == sorted(set(numbers), reverse=True), (flow, moment)
        assert len(seen) - len(before) in (0, 1) and before[-1] in [
            {**one, "live": before[-1]["live"]} for one in seen
        ], (flow, moment)
        done = shared.place.opsctl(*words)
        assert done.returncode == 0, (flow, moment, done.stderr)
        kept = shared.history()
        assert not [one for one in kept if one["outcome"] == "running"], (flow, moment, kept)
        assert locks("shared", shared.place) == [], (flow, moment)
        wanted = {
            "rollback": before[1]["image"] if len(before) > 1 else "",
            "stack": before[0]["image"],
        }.get(flow) or words[2].replace("/elsewhere@", "/shared@")
        assert shared.running() == {wanted}, (flow, moment, done.stderr)
        assert kept[0]["good"] and kept[0]["image"] == wanted, (flow, moment, kept[0])
        good = [one for one in kept if one["good"] and one["number"] > before[0]["number"]]
        assert len(good) == 1, (flow, moment, [(one["number"], one["outcome"]) for one in kept])
    assert len(struck) > len(CHOSEN) // 2, struck  # not each flow has each moment


def test_a_lock_of_another_machine_names_the_command_that_removes_it(shared: System) -> None:
    old: dict[str, Any] = {
        "token": "t",
        "who": "arn:aws:iam::1:user/ann",
        "host": "laptop",
        "command": "update-tasks",
        "since": "2026-01-01T00:00:00+00:00",
        "until": "2026-01-01T00:10:00+00:00",
    }
    with closing(client_of(shared.place.env, "ssm")) as ssm:
        name = "/opsctl/shared/locks/shared-ecs/000900"
        ssm.put_parameter(Name=name, Value=json.dumps(old), Type="String")
    refused = shared.place.opsctl("update-tasks", "--yes", "--image", "first")
    assert refused.returncode == 1
    assert "locked by ann@laptop" in refused.stderr
    assert "opsctl unlock shared-ecs" in refused.stderr
    unlocked = shared.place.opsctl("unlock", "shared-ecs", "--yes")
    assert unlocked.returncode == 0 and "UPDATE_COMPLETE" in unlocked.stdout, unlocked.stderr
    assert shared.place.opsctl("update-tasks", "--yes", "--image", "first").returncode == 0
    assert shared.place.opsctl("unlock", "nonsense").returncode == 2
