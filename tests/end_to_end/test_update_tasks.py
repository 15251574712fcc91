"""`update-tasks` as a user runs it: a service that really answers, rolled while it is asked."""

import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from opsctl_sandbox import images
from tests.end_to_end.place import ROOT, Place, events, post, spawn
from tests.end_to_end.place import push as push_to
from tests.opsctl_sandbox.clients import client_of

CADDYFILE = """\
:80 {{
    redir / /health.txt
}}
:8082 {{
    # {0}
    transformrequest {{
        scope off
    }}
    redis localhost:6379 testing
    transformresponse
}}
"""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    """A system with both stacks and no release yet."""
    place = system("rolls")
    place.stand_up(tasks=2)
    return place


@pytest.fixture(scope="module")
def released(place: Place) -> str:
    """The first release: from no task to the configured count."""
    reference = push(place, "first")
    done = place.opsctl("update-tasks", "--yes", "--json", "--image", reference)
    assert done.returncode == 0, done.stderr
    [release] = events(done, "release")
    assert (release["outcome"], release["image"]) == ("deployed", reference)
    return reference


def push_for(
    place: Place,
    repository: str,
    tag: str,
    caddyfile: str = CADDYFILE,
    *,
    service: Path = ROOT / "service",
) -> str:
    """Pack the service with a Caddyfile of its own and push it; the reference by digest."""
    packed = images.pack(service, caddyfile.format(tag))
    return push_to(place, repository, packed, tag=tag)


def push(place: Place, tag: str, caddyfile: str = CADDYFILE) -> str:
    return push_for(place, "rolls", tag, caddyfile)


def opened(place: Place, service: str) -> Any:
    return closing(client_of(place.env, service))


def tasks(place: Place) -> set[str]:
    with opened(place, "ecs") as ecs:
        return set(ecs.list_tasks(cluster="rolls", serviceName="rolls")["taskArns"])


def address(place: Place) -> str:
    with opened(place, "elbv2") as elbv2:
        [balancer] = elbv2.describe_load_balancers(Names=["rolls"])["LoadBalancers"]
        return f"http://{balancer['DNSName']}/v1/cids/1/entity_types/t/domains/d/keys/k"


class Load:
    """Requests one after another until told to stop; a 404 is an answer, silence is a loss."""

    def __init__(self, url: str) -> None:
        self.url, self.answered = url, 0
        self.lost: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                urlopen(self.url, timeout=5).close()
                self.answered += 1
            except HTTPError as error:
                error.close()
                self.answered += 1
                if error.code != 404:
                    self.lost.append(str(error))
            except (URLError, OSError) as error:
                self.lost.append(repr(error))


def test_without_a_stack_the_command_that_makes_it_is_told(system: Callable[[str], Place]) -> None:
    done = system("nothing").opsctl("update-tasks", "--yes")
    assert done.returncode == 1
    assert "there is no stack `nothing-ecs`" in done.stderr
    assert "hint: opsctl ecs up" in done.stderr


def test_without_an_engine_an_existing_image_is_the_way(place: Place) -> None:
    for name in ("Dockerfile", ".dockerignore"):
        (place.folder / name).write_text((ROOT / name).read_text())
    env = {**place.env, "DOCKER_HOST": f"unix://{place.folder}/none.sock"}
    done = Place(place.folder, env).opsctl("update-tasks", "--yes")
    assert done.returncode == 1
    assert "no Docker engine answers at" in done.stderr
    assert "--image REF" in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("REDIS_ADDRESS", "REDIS_ADRESS", "Caddyfile_template:16: `REDIS_ADRESS` has no value"),
        ("transformrequest", "transformreqest", "Caddyfile_template:15 - "),
        (":8082 {", ":8083 {", "no site of the Caddyfile listens on it"),
        ("REDIS_ADDRESS", "elsewhere:6379", "names Redis at elsewhere:6379"),
    ],
)
def test_a_template_that_would_not_work_is_refused_before_anything_is_sent(
    place: Place, before: str, after: str, words: str
) -> None:
    template = place.folder / "Caddyfile_template"
    good = template.read_text()
    template.write_text(good.replace(before, after, 1))
    try:
        done = place.opsctl("update-tasks", "--yes")
    finally:
        template.write_text(good)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert not (place.folder / "Caddyfile.new").exists()


def test_an_image_that_is_not_in_the_repository_is_refused(place: Place) -> None:
    done = place.opsctl("update-tasks", "--yes", "--image", "sha256:" + "0" * 64)
    assert done.returncode == 1
    assert "`rolls` holds no image" in done.stderr


def test_the_first_release_starts_the_configured_count_and_is_reached(
    place: Place, released: str
) -> None:
    assert len(tasks(place)) == 2
    with pytest.raises(HTTPError) as caught:
        urlopen(address(place), timeout=5)
    caught.value.close()
    assert caught.value.code == 404
    plan = place.opsctl("ecs", "plan")
    assert (plan.returncode, "warning" in plan.stderr) == (0, False), plan.stderr


def test_the_same_image_again_is_nothing_to_roll(place: Place, released: str) -> None:
    running = tasks(place)
    done = place.opsctl("update-tasks", "--yes", "--image", released)
    assert (done.returncode, tasks(place)) == (0, running)
    assert "nothing to roll" in done.stderr


def test_a_dry_run_shows_the_plan_and_changes_nothing(place: Place, released: str) -> None:
    running = tasks(place)
    done = place.opsctl("update-tasks", "--dry-run", "--json", "--image", push(place, "dry"))
    assert done.returncode == 2, done.stderr
    [plan] = events(done, "plan")
    assert {change["logical_id"] for change in plan["changes"]} == {"Service", "TaskDefinition"}
    assert tasks(place) == running


def test_without_a_terminal_and_without_yes_nothing_is_rolled(place: Place, released: str) -> None:
    running = tasks(place)
    done = place.opsctl("update-tasks", "--image", push(place, "unasked"))
    assert (done.returncode, tasks(place)) == (2, running)
    assert "add --yes" in done.stderr


def test_every_task_is_replaced_and_no_request_is_lost(place: Place, released: str) -> None:
    before = tasks(place)
    with Load(address(place)) as load:
        done = place.opsctl("update-tasks", "--yes", "--image", push(place, "second"))
    assert done.returncode == 0, done.stderr
    assert not tasks(place) & before
    assert load.answered > 50
    assert load.lost == []


def test_a_forced_roll_of_the_same_image_replaces_every_task(place: Place, released: str) -> None:
    before = tasks(place)
    words = ("update-tasks", "--yes", "--strategy", "stop", "--image", push(place, "second"))
    post(place, "clock", {"speed": 2})
    late = place.opsctl(*words, "--force", "--timeout", "5s")
    post(place, "clock", {"speed": 120})
    assert late.returncode == 4, late.stderr
    assert "a new deployment of the same image is forced" in late.stderr
    # What was begun goes on, and the same command follows it to its end.
    done = place.opsctl(*words)
    assert done.returncode == 0, done.stderr
    assert not tasks(place) & before


def test_a_roll_that_somebody_else_supersedes_says_so(place: Place, released: str) -> None:
    image = push(place, "second")
    with spawn(place, "update-tasks", "--yes", "--force", "--image", image) as command:
        assert command.stderr is not None
        screen = ""
        for line in command.stderr:
            screen += line
            if "new tasks run" in line:
                break
        with opened(place, "ecs") as ecs:
            ecs.update_service(cluster="rolls", service="rolls", forceNewDeployment=True)
            screen += command.stderr.read()
            assert command.wait(60) == 6, screen
            # What superseded it still goes on, and the next test counts tasks.
            settled, often = ecs.get_waiter("services_stable"), {"Delay": 1, "MaxAttempts": 60}
            settled.wait(cluster="rolls", services=["rolls"], WaiterConfig=often)
    assert "error: superseded: a newer deployment of the same image" in screen


def test_tasks_that_end_at_once_are_rolled_back_with_the_cause(place: Place, released: str) -> None:
    before = tasks(place)
    broken = push(place, "broken", ":80 {{\n    nonsense {0}\n}}\n")
    with Load(address(place)) as load:
        done = place.opsctl("update-tasks", "--yes", "--json", "--image", broken)
    assert done.returncode == 5, done.stderr
    [release] = events(done, "release")
    assert release["outcome"] == "rolled-back"
    assert "refuses its Caddyfile" in release["reason"]
    assert tasks(place) == before
    assert load.lost == []


def test_an_image_of_another_registry_is_refused_before_a_plan(place: Place, released: str) -> None:
    running = tasks(place)
    done = place.opsctl("update-tasks", "--yes", "--image", "registry.invalid/app:gone")
    assert (done.returncode, tasks(place)) == (2, running)
    assert "is not in this account's registry" in done.stderr and "plan for" not in done.stderr


def test_every_line_of_the_json_has_a_type_and_a_version(place: Place, released: str) -> None:
    done = place.opsctl("update-tasks", "--yes", "--json", "--image", push(place, "json"))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["v"] for line in lines} == {2}
    kinds = {line["type"] for line in lines}
    assert {"forecast", "plan", "stack_event", "rollout", "reached", "release"} <= kinds
