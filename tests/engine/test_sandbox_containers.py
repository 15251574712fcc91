"""Tasks of a sandbox as containers: how they are made, how they end, and that none is left."""

import os
import signal
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from opsctl_sandbox import images
from opsctl_sandbox.host.containers import label
from opsctl_sandbox.process import lifecycle, task_kind
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.end_to_end.place import opsctl
from tests.engine.engines import down, engine
from tests.opsctl_sandbox.clients import client, post, registry
from tests.opsctl_sandbox.fleet import join, stopped, until

# A stopped task is remembered for an hour, which is half a minute here.
SETTINGS = Settings(tasks="docker", speed=120.0)
WAIT = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: exit(0))
print("ready to be asked")
time.sleep(600)
"""


class Box:
    """A sandbox whose cluster `web` has an instance, and the engine that runs its tasks."""

    def __init__(self, home: Home, docker: APIClient, engine_host: str) -> None:
        self.home, self.docker = home, docker
        self.sandbox, _ = up(home, engine_host)
        self._clients: dict[str, Any] = {}
        join(self.aws, "web", 1)
        self.image = self._pushed()

    def aws(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(self.sandbox, service)
        return self._clients[service]

    def close(self) -> None:
        for one in self._clients.values():
            one.close()
        if self.home.running():
            list(lifecycle.down(self.home))

    def status(self, task: str) -> str:
        [found] = self.aws("ecs").describe_tasks(cluster="web", tasks=[task])["tasks"]
        return str(found["lastStatus"])

    def run(self, *command: str, **members: Any) -> str:
        """Run a task of the Python image with these members of its definition; returns its ARN."""
        options = {"awslogs-group": "/app/stdout", "awslogs-stream-prefix": "task"}
        container = {
            "name": "web",
            "image": self.image,
            "cpu": 128,
            "memory": 64,
            "command": list(command),
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **members,
        }
        ecs = self.aws("ecs")
        made = ecs.register_task_definition(family="web", containerDefinitions=[container])
        arn = made["taskDefinition"]["taskDefinitionArn"]
        return str(ecs.run_task(cluster="web", taskDefinition=arn)["tasks"][0]["taskArn"])

    def stopped(self, task: str) -> dict[str, Any]:
        return stopped(self.aws, "web", task)

    def lines(self, task: str) -> list[str]:
        """What is in the task's stream of its log group."""
        stream = f"task/web/{task.rpartition('/')[2]}"
        found = self.aws("logs").filter_log_events(
            logGroupName="/app/stdout", logStreamNamePrefix=stream
        )
        return [one["message"] for one in found["events"]]

    def containers(self) -> list[dict[str, Any]]:
        ours = "=".join(label(self.home.path))
        return list(self.docker.containers(all=True, filters={"label": ours}))

    def images(self) -> list[dict[str, Any]]:
        return list(self.docker.images(name=f"127.0.0.1:{self.sandbox.port}/web"))

    def inspected(self, task: str) -> Mapping[str, Any]:
        """The task's container, once it runs."""

        def found() -> Any:
            for one in self.containers():
                if one["Labels"]["io.opsctl.task"] == task and one["State"] == "running":
                    return self.docker.inspect_container(one["Id"])
            return None

        return dict(until(found))

    def _pushed(self) -> str:
        """The engine's Python image in the sandbox's registry; no name of it is in the engine."""
        name = f"127.0.0.1:{self.sandbox.port}/web"
        self.docker.tag("python:3.11-slim", name, "v1")
        word = self.sandbox.keys.registry.removeprefix("Basic ")
        user, _, password = b64decode(word).decode().partition(":")
        login = {"username": user, "password": password}
        said = list(self.docker.push(name, "v1", stream=True, decode=True, auth_config=login))
        self.docker.remove_image(f"{name}:v1")
        return f"{name}@{next(one['aux']['Digest'] for one in said if 'aux' in one)}"


def up(home: Home, engine_host: str, settings: Settings = SETTINGS) -> tuple[Sandbox, str]:
    """The sandbox, and everything that was said."""
    events = list(lifecycle.up(home, settings, {**os.environ, "DOCKER_HOST": engine_host}))
    sandbox = events[-1].sandbox
    assert sandbox is not None
    return sandbox, "\n".join(event.message for event in events)


@pytest.fixture(scope="module")
def box(
    docker: APIClient, engine_host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    box = Box(Home(tmp_path_factory.mktemp("box")), docker, engine_host)
    yield box
    box.close()


def test_the_definition_decides_how_the_container_is_made(box: Box) -> None:
    task = box.run(
        *("python", "-uc", WAIT),
        user="10001:10001",
        workingDirectory="/tmp",
        readonlyRootFilesystem=True,
        environment=[{"name": "GREETING", "value": "hello"}],
        linuxParameters={
            "initProcessEnabled": True,
            "tmpfs": [{"containerPath": "/tmp", "size": 8, "mountOptions": ["rw", "noexec"]}],
        },
        # More than any machine gives: the engine would refuse to start the container.
        ulimits=[{"name": "nofile", "softLimit": 1 << 30, "hardLimit": 1 << 30}],
    )
    made = box.inspected(task)
    host, config = made["HostConfig"], made["Config"]

    assert (config["User"], config["WorkingDir"]) == ("10001:10001", "/tmp")
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert (host["ReadonlyRootfs"], host["Init"], host["NetworkMode"]) == (True, True, "host")
    assert host["Tmpfs"] == {"/tmp": "size=8m,rw,noexec"}
    assert not host["Ulimits"]
    variables = dict(one.split("=", 1) for one in config["Env"])
    assert variables["GREETING"] == "hello"
    assert variables["AWS_ENDPOINT_URL"] == box.sandbox.endpoint


def test_a_task_that_is_stopped_gets_its_stop_signal_first(box: Box) -> None:
    # Ten seconds at this speed.
    task = box.run("python", "-uc", WAIT, stopTimeout=1200)
    until(lambda: box.lines(task) == ["ready to be asked"])
    box.aws("ecs").stop_task(cluster="web", task=task)

    assert box.stopped(task)["containers"][0]["exitCode"] == 0


def test_a_task_that_ignores_its_stop_signal_is_killed(box: Box) -> None:
    # Nobody but the kernel can stop the first process of a container that handles no signal.
    task = box.run("python", "-uc", "import time; time.sleep(600)", stopTimeout=2)
    box.inspected(task)
    box.aws("ecs").stop_task(cluster="web", task=task)

    assert box.stopped(task)["containers"][0]["exitCode"] == 137


def test_a_container_that_ends_at_start_shows_its_exit_code_and_its_last_lines(box: Box) -> None:
    task = box.run("python", "-uc", "print('cannot go on'); raise SystemExit(3)")

    assert box.stopped(task)["containers"][0]["exitCode"] == 3
    until(lambda: box.lines(task) == ["cannot go on"])


def test_a_container_over_its_memory_is_killed_for_the_reason_that_ecs_gives(box: Box) -> None:
    task = box.stopped(box.run("python", "-c", "bytearray(256 << 20)"))
    [container] = task["containers"]

    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_program_that_is_not_in_the_image_cannot_start(box: Box) -> None:
    task = box.stopped(box.run("no-such-program"))
    reason = task["containers"][0]["reason"]

    assert task["stopCode"] == "TaskFailedToStart"
    assert reason.startswith("CannotStartContainerError: Error response from daemon: ")
    assert "no-such-program" in reason


def test_an_image_whose_registry_fails_cannot_be_pulled(box: Box, tmp_path: Path) -> None:
    package = tmp_path / "service"
    package.mkdir()
    packed = images.pack(package, "")
    # An image that the engine does not know yet: it asks for no other.
    reference = registry(box.sandbox).push("web", packed, tag="packed")
    rule = {"kind": "error", "operation": "registry:*", "status": 500}
    post(box.sandbox, "faults", [rule])
    try:
        task = box.stopped(box.run("python", image=reference))
    finally:
        post(box.sandbox, "faults", [])

    assert task["stopCode"] == "TaskFailedToStart"
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotPullContainerError: Error response from daemon: ")


def test_the_engine_reports_what_a_container_uses(box: Box, engine_host: str) -> None:
    made = box.inspected(box.run("python", "-uc", WAIT))
    engine = task_kind.engine_at(engine_host)
    usage = engine.usage(made["Id"])
    engine.close()

    assert usage is not None and usage.seconds > 0 and 0 < usage.megabytes < 64


def test_a_killed_sandbox_leaves_containers_and_the_next_removes_them(
    box: Box, engine_host: str
) -> None:
    box.inspected(box.run("python", "-uc", WAIT))
    os.kill(box.sandbox.pid, signal.SIGKILL)
    os.waitpid(box.sandbox.pid, 0)
    left = box.containers()
    assert left, "no kernel ends them with the sandbox"

    again, said = up(box.home, engine_host, Settings(tasks="none"))
    assert f"removed {len(left)} containers that an earlier sandbox left in the engine" in said
    assert box.containers() == []
    assert box.images() == []
    assert again.engine == ""


def test_a_sandbox_that_ends_leaves_neither_a_container_nor_an_image(
    docker: APIClient, engine_host: str, tmp_path: Path
) -> None:
    with closing(Box(Home(tmp_path), docker, engine_host)) as box:
        box.inspected(box.run("python", "-uc", WAIT))
        # One that takes a minute to stop at this speed.
        deaf = box.run("python", "-uc", "import time; time.sleep(600)", stopTimeout=7200)
        box.inspected(deaf)
        box.aws("ecs").stop_task(cluster="web", task=deaf)
        until(lambda: box.status(deaf) == "STOPPING")
        assert box.images()
        # Without `down`, which would sweep: the server itself ends what it started.
        os.kill(box.sandbox.pid, signal.SIGTERM)
        os.waitpid(box.sandbox.pid, 0)

    assert box.containers() == []
    assert box.images() == []


def test_when_the_engine_dies_tasks_stop_with_a_sentence_and_new_ones_say_why(
    tmp_path: Path,
) -> None:
    with (
        engine() as (host, work),
        closing(APIClient(base_url=host)) as docker,
        closing(Box(Home(tmp_path), docker, host)) as box,
    ):
        task = box.run("python", "-uc", WAIT)
        box.inspected(task)
        down(work)
        container = box.stopped(task)["containers"][0]
        late = box.stopped(box.run("python", "-c", "pass"))["containers"][0]
        # A process of its own: the SDK does not close the socket that nobody answers.
        ended = opsctl("sandbox", "down", cwd=tmp_path)
        os.waitpid(box.sandbox.pid, 0)

    gone = f"Cannot connect to the Docker daemon at {host}. Is the docker daemon running?"
    assert container["reason"] == f"CannotInspectContainerError: {gone}"
    assert late["reason"] == f"CannotPullContainerError: {gone}"
    assert "what an earlier sandbox left there stays" in ended.stderr
    assert ended.returncode == 0
