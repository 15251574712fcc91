"""Back to what worked: the history, a rollback under load, and when everything else is gone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opsctl_sandbox import images
from tests.end_to_end.place import ROOT, Place, events, post, push
from tests.end_to_end.test_update_tasks import CADDYFILE, Load
from tests.opsctl_sandbox.clients import client_of

pytestmark = pytest.mark.timeout(300)
BROKEN = ":80 {{\n    nonsense {0}\n}}\n"


class System:
    """A system in the sandbox with its own repository."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place

    def push(self, tag: str, caddyfile: str = CADDYFILE, *, repository: str = "") -> str:
        packed = images.pack(ROOT / "service", caddyfile.format(tag))
        return push(self.place, repository or self.name, packed, tag=tag)

    def release(self, tag: str, caddyfile: str = CADDYFILE) -> str:
        reference = self.push(tag, caddyfile)
        done = self.place.opsctl("update-tasks", "--yes", "--image", reference)
        assert done.returncode == 0, done.stderr
        return reference

    def aws(self, service: str) -> Any:
        return closing(client_of(self.place.env, service))

    def running(self) -> set[str]:
        """The images of the tasks that run."""
        with self.aws("ecs") as ecs:
            arns = ecs.list_tasks(cluster=self.name, serviceName=self.name)["taskArns"]
            tasks = ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"]
            return {task["containers"][0]["image"] for task in tasks}

    def url(self) -> str:
        with self.aws("elbv2") as elbv2:
            [balancer] = elbv2.describe_load_balancers(Names=[self.name])["LoadBalancers"]
        return f"http://{balancer['DNSName']}/v1/cids/1/entity_types/t/domains/d/keys/k"

    def history(self) -> list[dict[str, Any]]:
        done = self.place.opsctl("history", "--json", "--lines", "1000")
        assert done.returncode == 0, done.stderr
        return events(done, "history")

    def clock(self, speed: int) -> None:
        post(self.place, "clock", {"speed": speed})

    def forget(self) -> None:
        """Delete all that the ledger holds."""
        with self.aws("ssm") as ssm:
            path = f"/opsctl/{self.name}"
            pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
            names = [one["Name"] for page in pages for one in page["Parameters"]]
            for at in range(0, len(names), 10):
                ssm.delete_parameters(Names=names[at : at + 10])


@pytest.fixture
def make(system: Callable[[str], Place]) -> Callable[[str], System]:
    def made(name: str) -> System:
        place = system(name)
        place.stand_up(tasks=2)
        return System(name, place)

    return made


def test_three_releases_and_back_to_the_second_from_another_directory(
    make: Callable[[str], System], tmp_path: Path
) -> None:
    system = make("back")
    references = [system.release(tag) for tag in ("one", "two", "three")]
    (tmp_path / "opsctl.yaml").write_text((system.place.folder / "opsctl.yaml").read_text())
    elsewhere = Place(tmp_path, {**system.place.env, "DOCKER_HOST": "unix:///nowhere.sock"})
    with Load(system.url()) as load:
        done = elsewhere.opsctl("rollback", "--yes", "--why", "three is slow")
    assert done.returncode == 0, done.stderr
    assert load.lost == [] and load.answered > 50
    assert system.running() == {references[1]}
    newest, *_ = system.history()
    assert (newest["number"], newest["back_to"], newest["outcome"]) == (4, 2, "deployed")
    assert newest["why"] == "three is slow" and newest["live"] is True
    # The next one goes on to what was before that.
    done = elsewhere.opsctl("rollback", "--yes")
    assert done.returncode == 0 and system.running() == {references[0]}
    done = elsewhere.opsctl("rollback", "--yes")
    assert done.returncode == 1, done.stderr


def test_while_a_roll_is_half_way_it_is_cancelled(make: Callable[[str], System]) -> None:
    system = make("half")
    first = system.release("one")
    second = system.push("two")
    system.clock(15)
    rolling = spawn(system.place, "update-tasks", "--yes", "--image", second)
    try:
        _until(lambda: len(system.history()) == 2)
        with Load(system.url()) as load:
            done = system.place.opsctl("rollback", "--yes")
    finally:
        system.clock(120)
        _, said = rolling.communicate(timeout=120)
    assert done.returncode == 0, done.stderr
    assert "cancelling: the update is rolled back" in done.stderr
    assert load.lost == []
    assert system.running() == {first}
    assert rolling.returncode in (1, 5, 6), said
    numbers = {one["number"]: one for one in system.history()}
    assert numbers[2]["outcome"] in ("rolled-back", "failed", "superseded")
    assert not numbers[2]["good"] and numbers[1]["live"]


def test_after_a_roll_that_failed_by_itself_the_one_that_runs_again_stays(
    make: Callable[[str], System],
) -> None:
    system = make("failed")
    references = [system.release(tag) for tag in ("one", "two")]
    bad = system.place.opsctl("update-tasks", "--yes", "--image", system.push("bad", BROKEN))
    assert bad.returncode == 5
    done = system.place.opsctl("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "release 3 failed, and release 2 runs again" in done.stderr
    assert "to go further back: opsctl rollback 1" in done.stderr
    assert system.running() == {references[1]}


def test_with_the_ledger_deleted_the_task_definitions_say_what_was_before(
    make: Callable[[str], System],
) -> None:
    system = make("gone")
    references = [system.release(tag) for tag in ("one", "two")]
    tried = system.place.opsctl("rollback", "--dry-run")
    assert tried.returncode == 2 and "back to release 1" in tried.stderr, tried.stderr
    assert system.running() == {references[1]} and len(system.history()) == 2
    system.forget()
    done = system.place.opsctl("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "whether it was good is not known" in done.stderr
    assert system.running() == {references[0]}


def test_when_the_image_is_gone_the_older_one_that_is_there_is_named(
    make: Callable[[str], System],
) -> None:
    system = make("digest")
    references = [system.release(tag) for tag in ("one", "two", "three")]
    with system.aws("ecr") as ecr:
        digest = references[1].rpartition("@")[2]
        ecr.batch_delete_image(repositoryName="digest", imageIds=[{"imageDigest": digest}])
    done = system.place.opsctl("rollback", "--yes")
    assert done.returncode == 1
    assert "the image of release 2" in done.stderr and "that of release 1 is" in done.stderr
    assert "hint: opsctl rollback 1" in done.stderr
    assert system.place.opsctl("rollback", "1", "--yes").returncode == 0
    assert system.running() == {references[0]}


def test_what_ecs_up_and_force_roll_stands_in_the_history_and_a_no_does_not(
    make: Callable[[str], System],
) -> None:
    system = make("ways")
    system.release("one")
    place = system.place
    assert place.opsctl("update-tasks", "--image", system.push("two")).returncode == 2
    assert len(system.history()) == 1
    assert place.opsctl("ecs", "up", "--yes", "--set", "ecs.memory=512").returncode == 0
    assert place.opsctl("update-tasks", "--yes", "--force", "--image", "one").returncode == 0
    forced, stack, _ = system.history()
    assert (stack["outcome"], stack["changed"]) == ("deployed", ["ecs.memory 400 -> 512"])
    assert (forced["outcome"], forced["live"]) == ("deployed", True)


def test_a_secret_that_changed_is_a_reason_to_roll_and_is_named(
    make: Callable[[str], System],
) -> None:
    system = make("secret")
    with system.aws("ssm") as ssm:
        ssm.put_parameter(Name="/secret/token", Value="canary-1", Type="SecureString")
    config = system.place.folder / "opsctl.yaml"
    text = config.read_text()
    text = text.replace("ssm:/example/refresh_token", "ssm:/secret/token", 1)
    text = text.replace("  environment: {}", "  environment: {LEVEL: low}", 1)
    config.write_text(text)
    assert system.place.opsctl("ecs", "up", "--yes").returncode == 0
    reference = system.release("one")
    again = system.place.opsctl("update-tasks", "--yes", "--image", reference)
    assert again.returncode == 0 and "nothing to roll; nothing changed" in again.stderr
    with system.aws("ssm") as ssm:
        ssm.put_parameter(
            Name="/secret/token", Value="canary-2", Type="SecureString", Overwrite=True
        )
    rolled = system.place.opsctl("update-tasks", "--yes", "--image", reference)
    assert rolled.returncode == 0, rolled.stderr
    assert "ssm:/secret/token: version 1 -> version 2" in rolled.stderr
    config.write_text(text.replace("LEVEL: low", "LEVEL: high"))
    rolled = system.place.opsctl("update-tasks", "--yes", "--image", reference)
    assert rolled.returncode == 0, rolled.stderr
    assert "LEVEL has another value" in rolled.stderr
    levels, secrets, _ = system.history()
    assert levels["changed"] == ["environment: LEVEL has another value"]
    assert secrets["secrets"] == {"ssm:/secret/token": "2"}
    assert "canary" not in json.dumps(system.history()) + rolled.stderr


def test_an_image_of_another_environment_is_copied_and_cannot_be_taken_away(
    make: Callable[[str], System],
) -> None:
    # A6: the clean-up of staging deleted the image that ran in production.
    staging, production = make("staging"), make("production")
    reference = staging.release("one")
    digest = reference.rpartition("@")[2]
    done = production.place.opsctl("update-tasks", "--yes", "--image", reference)
    assert done.returncode == 0, done.stderr
    own = reference.replace("/staging@", "/production@")
    assert production.running() == {own}
    config = staging.place.folder / "opsctl.yaml"
    config.write_text(config.read_text().replace("keep: 30", "keep: 1", 1))
    for tag in ("two", "three"):
        staging.release(tag)
    with staging.aws("ecr") as ecr:
        held = ecr.describe_images(repositoryName="production")["imageDetails"]
        assert [one["imageDigest"] for one in held] == [digest]
    again = production.place.opsctl("update-tasks", "--yes", "--image", "staging:two")
    assert again.returncode == 0, again.stderr


def test_what_names_no_image_of_this_account_is_refused_before_a_plan(
    make: Callable[[str], System],
) -> None:
    system = make("refused")
    for text in ("a b/c", "sha256:abc", "https://x/y:1", "registry.invalid/a:b"):
        done = system.place.opsctl("update-tasks", "--yes", "--image", text)
        assert done.returncode == 2, done.stderr
        assert "CreateChangeSet" not in done.stderr and "hint: " in done.stderr


def spawn(place: Place, *words: str) -> subprocess.Popen[str]:
    """The command under way."""
    return subprocess.Popen(
        [sys.executable, "-m", "opsctl", *words],
        cwd=place.folder,
        env={**os.environ, **place.env, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)
