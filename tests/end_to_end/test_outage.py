"""AWS falls silent while a command follows what runs there: every flow outlasts it."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from tests.end_to_end.place import Place, post, spawn
from tests.end_to_end.test_update_tasks import push_for

OUTAGE = 8.0  # seconds: more than botocore's own retries ever outlasted
# Every service that opsctl asks; the registry goes on, because the tasks pull from it.
SERVICES = ("cloudformation", "ecs", "elasticloadbalancing", "logs", "monitoring", "ec2", "sts")
SILENCE = [{"kind": "reset", "operation": f"{service}:*"} for service in SERVICES]
pytestmark = pytest.mark.timeout(300)
# In fast time each command meets a silent minute at any call, in tests/hostile.
long_form = pytest.mark.skipif("HOSTILE_PART" not in os.environ, reason="make test-hostile")


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    place = system("outage")
    place.stand_up(tasks=2)
    return place


def through_an_outage(place: Place, *words: str, once: str) -> tuple[int, str]:
    """Run the command; from the moment its screen shows `once`, AWS answers nothing for a while."""
    command = spawn(place, *words)
    assert command.stderr is not None and command.stdout is not None
    screen: list[str] = []
    timer: threading.Timer | None = None
    with command.stderr, command.stdout:
        for line in command.stderr:
            screen.append(line)
            if timer is None and once in line:
                post(place, "faults", SILENCE)
                timer = threading.Timer(OUTAGE, post, (place, "faults", []))
                timer.start()
    if timer is None:
        pytest.fail(f"the screen never showed `{once}`: {''.join(screen)}")
    timer.join()
    return command.wait(timeout=60), "".join(screen)


@long_form
def test_a_stack_operation_outlasts_it(place: Place) -> None:
    other = ("--set", "db.name=outage-other", "--set", "name=outage2")
    code, screen = through_an_outage(place, "db", "up", "--yes", *other, once="CREATE_IN_PROGRESS")
    assert code == 0, screen
    assert "AWS does not answer" in screen and "CREATE_COMPLETE" in screen


@pytest.mark.parametrize(
    ("options", "once"),
    [
        # While CloudFormation waits for the tasks, and while only the tasks are followed.
        ((), "UPDATE_IN_PROGRESS"),
        pytest.param(("--force",), "a new deployment of the same image is forced", marks=long_form),
    ],
)
def test_a_roll_outlasts_it(place: Place, options: tuple[str, ...], once: str) -> None:
    reference = push_for(place, "outage", f"image{len(options)}")
    if options:
        assert place.opsctl("update-tasks", "--yes", "--image", reference).returncode == 0
    post(place, "clock", {"speed": 20})
    try:
        code, screen = through_an_outage(
            place, "update-tasks", "--yes", "--image", reference, *options, once=once
        )
    finally:
        post(place, "clock", {"speed": 120})
    assert code == 0, screen
    assert "AWS does not answer" in screen and "deployed: " in screen


def test_metrics_that_are_watched_outlast_it(place: Place) -> None:
    command = spawn(place, "metrics", "cluster", "--watch", "--every", "1s")
    try:
        assert command.stdout is not None
        assert "outage" in command.stdout.readline()
        post(place, "faults", SILENCE)
        time.sleep(OUTAGE)
        post(place, "faults", [])
        # The header of the next table after the outage.
        assert any("outage" in line for line in command.stdout)
        assert command.poll() is None
    finally:
        command.kill()
        command.wait()
        for stream in filter(None, (command.stdout, command.stderr)):
            stream.close()
