"""The repository's own image as tasks of a sandbox: built, rolled under load, killed, replaced."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from docker import APIClient

from opsctl_sandbox.host.containers import label
from opsctl_sandbox.process.home import Home
from tests.end_to_end.place import ROOT, Place, events, opsctl
from tests.opsctl_sandbox.clients import client_of
from tests.opsctl_sandbox.fleet import until

pytestmark = pytest.mark.timeout(600)

CONFIG = """\
name: boxed
network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}
ecs: {desired_count: 2}
image: {network: host}
"""
# A machine that builds, pushes and rolls at once may keep Redis waiting.
TEMPLATE = """\
:80 {
    redir / /health.txt
}
:8082 {
    transformrequest {
        scope off
    }
    redis REDIS_ADDRESS {
        timeout 5s
    }
    transformresponse
}
"""
ENTITY = "/v1/cids/1/entity_types/user/domains/profile/keys/ann"


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, engine_host: str, docker: APIClient
) -> Iterator[Place]:
    """A release of two tasks, each a container."""
    folder = tmp_path_factory.mktemp("boxed")
    (folder / "opsctl.yaml").write_text(CONFIG)
    (folder / "Caddyfile_template").write_text(TEMPLATE)
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("service", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    env = {"DOCKER_HOST": engine_host, "HOME": str(folder)}
    started = opsctl("sandbox", "up", "--speed", "120", cwd=folder, env=env)
    assert started.returncode == 0, started.stderr
    assert f"tasks are containers: the engine at {engine_host} answers" in started.stderr
    exported = json.loads(opsctl("sandbox", "env", "--json", cwd=folder).stdout)
    place = Place(folder, {**env, **{key: one for key, one in exported.items() if key.isupper()}})
    try:
        for words in (("db", "up"), ("ecs", "up"), ("update-tasks",)):
            done = place.opsctl(*words, "--yes", timeout=400)
            assert done.returncode == 0, done.stderr
        yield place
    finally:
        opsctl("sandbox", "down", cwd=folder, env=env)
    # Neither what was built nor what was pulled keeps a name of the registry that is gone.
    registry = place.env["AWS_ENDPOINT_URL"].removeprefix("http://")
    assert docker.images(name=f"{registry}/boxed") == []


@pytest.fixture(scope="module")
def url(place: Place) -> str:
    done = place.opsctl("ecs", "status", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    [name] = [one["outputs"]["LoadBalancerDNSName"] for one in found if "Load" in str(one)]
    return f"http://{name}{ENTITY}"


@pytest.fixture
def aws(place: Place) -> Iterator[Callable[[str], Any]]:
    clients: list[Any] = []

    def connect(service: str) -> Any:
        clients.append(client_of(place.env, service))
        return clients[-1]

    yield connect
    for one in clients:
        one.close()


def containers(docker: APIClient, place: Place) -> list[str]:
    ours = "=".join(label(Home(place.folder).path))
    return [one["Id"] for one in docker.containers(filters={"label": ours})]


def put(url: str, name: str) -> int:
    with urlopen(Request(f"{url}?name={name}", method="PUT"), timeout=5) as answer:
        return int(answer.status)


def test_a_request_reaches_a_container_and_redis_behind_it(
    place: Place, url: str, docker: APIClient
) -> None:
    assert len(containers(docker, place)) == 2
    assert put(url, "Ann") == 201
    with urlopen(url, timeout=5) as answer:
        assert json.load(answer)["attributes"] == {"name": "Ann"}


def test_what_the_service_says_is_in_the_stdout_group(
    place: Place, aws: Callable[[str], Any]
) -> None:
    def said() -> bool:
        found = aws("logs").filter_log_events(logGroupName="/boxed/stdout")["events"]
        return any(one["message"].startswith("serving Caddyfile: ") for one in found)

    until(said)


def test_what_the_containers_use_is_a_metric_of_the_service(
    place: Place, aws: Callable[[str], Any]
) -> None:
    asked = {
        "Namespace": "AWS/ECS",
        "MetricName": "MemoryUtilization",
        "Dimensions": [
            {"Name": "ClusterName", "Value": "boxed"},
            {"Name": "ServiceName", "Value": "boxed"},
        ],
    }
    until(lambda: aws("cloudwatch").list_metrics(**asked)["Metrics"])


def test_status_says_what_a_task_is(place: Place, engine_host: str) -> None:
    [status] = events(place.opsctl("sandbox", "status", "--json"), "sandbox")
    assert (status["tasks"], status["engine"]) == ("docker", engine_host)


def test_a_rollout_under_load_loses_no_request(place: Place, url: str, docker: APIClient) -> None:
    before = set(containers(docker, place))
    template = place.folder / "Caddyfile_template"
    template.write_text(TEMPLATE.replace("    redir", "    # edited\n    redir"))
    rolling = subprocess.Popen(
        [sys.executable, "-m", "opsctl", "update-tasks", "--yes"],
        cwd=place.folder,
        env={**place.env, "PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    answers = []
    while rolling.poll() is None:
        answers.append(put(url, "Ann"))
        time.sleep(0.02)
    said = rolling.communicate()[0]

    assert rolling.returncode == 0, said
    assert set(answers) == {204}
    after = set(until(lambda: len(now := containers(docker, place)) == 2 and now))
    assert not before & after


def test_a_container_killed_from_outside_is_a_stopped_task_that_is_replaced(
    place: Place, url: str, docker: APIClient, aws: Callable[[str], Any]
) -> None:
    victim = containers(docker, place)[0]
    task = docker.inspect_container(victim)["Config"]["Labels"]["io.opsctl.task"]
    docker.kill(victim)

    def stopped() -> Any:
        [found] = aws("ecs").describe_tasks(cluster="boxed", tasks=[task])["tasks"]
        return found if found["lastStatus"] == "STOPPED" else None

    assert until(stopped)["containers"][0]["exitCode"] == 137
    until(lambda: len(now := containers(docker, place)) == 2 and victim not in now)
    assert put(url, "Ann") == 204
