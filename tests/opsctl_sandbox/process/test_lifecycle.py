"""A sandbox starts, is found, ends, and nothing of a killed one is in the way of the next."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from opsctl_sandbox.errors import SandboxError, UsageError
from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import client, start

QUIET = Settings(tasks="none")


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} still runs")


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_up_gives_a_sandbox_that_answers_and_down_ends_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    sandbox = start(home, QUIET)
    try:
        assert home.running() == sandbox
        sts = client(sandbox, "sts")
        assert sts.get_caller_identity()["Account"] == sandbox.settings.account
        sts.close()
    finally:
        list(lifecycle.down(home))

    assert home.running() is None
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=1)


def test_it_is_ready_within_three_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    start(Home(tmp_path), QUIET)
    elapsed = time.monotonic() - started
    list(lifecycle.down(Home(tmp_path)))

    assert elapsed < 3


def test_a_second_down_says_that_there_is_nothing_to_stop(tmp_path: Path) -> None:
    for _ in range(2):
        [event] = lifecycle.down(Home(tmp_path))
        assert event.message == f"sandbox `default` does not run in {tmp_path}: nothing to stop"


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    sandbox = start(home, QUIET)
    try:
        lines = Path("/proc/net/tcp").read_text().splitlines()
        listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}
        ours = {one for one in listening if one.endswith(f":{sandbox.port:04X}")}
    finally:
        list(lifecycle.down(home))

    assert ours == {f"0100007F:{sandbox.port:04X}"}


def test_on_sigterm_it_ends_what_it_started_and_then_itself(tmp_path: Path) -> None:
    sandbox = start(Home(tmp_path), QUIET)
    os.kill(sandbox.pid, signal.SIGTERM)
    _, status = os.waitpid(sandbox.pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_second_up_says_that_it_runs(tmp_path: Path) -> None:
    home, settings = Home(tmp_path, "one"), Settings(name="one", tasks="none")
    start(home, settings)
    try:
        with pytest.raises(SandboxError, match="already running") as caught:
            list(lifecycle.up(home, settings, os.environ))
        assert str(caught.value.hint).startswith("opsctl sandbox env --name one")
    finally:
        list(lifecycle.down(home))


def test_two_sandboxes_live_side_by_side(tmp_path: Path) -> None:
    first, second = Home(tmp_path, "one"), Home(tmp_path, "two")
    one = start(first, Settings(name="one", tasks="none"))
    two = start(second, Settings(name="two", tasks="none"))
    try:
        assert one.port != two.port
        ecr_one, ecr_two = client(one, "ecr"), client(two, "ecr")
        ecr_one.create_repository(repositoryName="only-here")
        assert ecr_two.describe_repositories()["repositories"] == []
        ecr_one.close()
        ecr_two.close()
    finally:
        list(lifecycle.down(first))
        list(lifecycle.down(second))


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"port {port} on 127.0.0.1 cannot be used"):
            list(lifecycle.up(Home(tmp_path), QUIET, os.environ, port=port))


@pytest.mark.parametrize(
    ("settings", "port", "message"),
    [
        (QUIET, 65_536, "not a port: 65536"),
        (QUIET, -1, "not a port: -1"),
        (replace(QUIET, speed=0.0), 0, "not a speed: --speed 0"),
        (replace(QUIET, speed=-1.0), 0, "not a speed: --speed -1"),
        (replace(QUIET, speed=float("nan")), 0, "not a speed: --speed nan"),
        (replace(QUIET, max_processes=0), 0, "--max-processes 0 allows no tasks to run"),
    ],
)
def test_invalid_settings_are_refused(
    tmp_path: Path, settings: Settings, port: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        list(lifecycle.up(Home(tmp_path), settings, os.environ, port=port))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".opsctl").write_text("in the way")
    with pytest.raises(SandboxError, match="the sandbox cannot write to .*: Not a directory"):
        list(lifecycle.up(Home(tmp_path), QUIET, os.environ))


def test_what_an_earlier_life_left_behind_is_gone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("images/sha256", "ministack/s3", "tmp/old"):
        (home.path / name).mkdir(parents=True)
    (home.path / "tmp" / "file").write_text("old")
    start(home, QUIET)
    left = {path.name for path in home.path.rglob("*")}
    list(lifecycle.down(home))

    assert left.isdisjoint({"sha256", "s3", "old", "file"})


def test_the_state_of_an_earlier_life_is_not_believed_while_the_next_begins(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    home.path.mkdir(parents=True)
    home.write(Sandbox(QUIET, pid=1, port=1, cache_port=1, redis=False, started_at="", secret="s"))
    starting = threading.Thread(target=start, args=(home, QUIET))
    starting.start()
    seen = None
    while seen is None and starting.is_alive():
        seen = home.running()
    starting.join()
    seen = seen or home.running()
    list(lifecycle.down(home))

    assert seen is not None and seen.pid != 1


def test_when_who_started_it_is_killed_meanwhile_nothing_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    command = [sys.executable, "-m", "opsctl_sandbox", "up", "--tasks", "none"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    starter = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL)
    while not (home.path / "lock").exists():
        assert starter.poll() is None
        time.sleep(0.001)
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 30
    while True:
        try:
            start(home, QUIET)
            break
        except SandboxError:  # the orphan still holds the lock
            assert time.monotonic() < deadline
            time.sleep(0.05)
    list(lifecycle.down(home))

    assert "Traceback" not in home.log.read_text(), home.log.read_text()


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs a redis-server")
def test_a_killed_sandbox_takes_its_children_along_and_is_no_obstacle(tmp_path: Path) -> None:
    home = Home(tmp_path)
    sandbox = start(home, QUIET)
    orphans = children(sandbox.pid)
    assert orphans, "redis-server is a child"
    os.kill(sandbox.pid, signal.SIGKILL)
    os.waitpid(sandbox.pid, 0)
    for pid in orphans:
        wait_until_gone(pid)

    assert home.running() is None
    again = start(home, QUIET)
    list(lifecycle.down(home))
    assert again.pid != sandbox.pid


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs a redis-server")
def test_the_cache_endpoint_of_a_cluster_is_a_real_redis_until_it_is_deleted(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    sandbox = start(home, QUIET)
    elasticache = client(sandbox, "elasticache")

    def made() -> tuple[str, int]:
        cluster = elasticache.create_cache_cluster(
            CacheClusterId="db", Engine="redis", NumCacheNodes=1, CacheNodeType="cache.t4g.micro"
        )
        endpoint = cluster["CacheCluster"]["CacheNodes"][0]["Endpoint"]
        return endpoint["Address"], endpoint["Port"]

    try:
        where = made()
        assert said(where, b"SET key value\r\n") == b"+OK\r\n"
        elasticache.delete_cache_cluster(CacheClusterId="db")
        deadline = time.monotonic() + 10
        with pytest.raises(OSError, match="refused|reset"):
            while time.monotonic() < deadline:
                said(where, b"PING\r\n")
                time.sleep(0.05)
        assert said(made(), b"GET key\r\n") == b"$-1\r\n"
    finally:
        elasticache.close()
        list(lifecycle.down(home))


def said(where: tuple[str, int], command: bytes) -> bytes:
    with socket.create_connection(where, 2) as connection:
        connection.sendall(command)
        return connection.recv(64)


def test_without_redis_server_the_endpoint_refuses_and_up_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    environ = {**os.environ, "PATH": "/nonexistent"}
    events = list(lifecycle.up(home, QUIET, environ))
    try:
        sandbox = events[-1].sandbox
        assert sandbox is not None and not sandbox.redis
        assert any("testing" in event.message for event in events)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", sandbox.cache_port), timeout=1)
    finally:
        list(lifecycle.down(home))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b"])
def test_a_name_that_cannot_be_a_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a name for a sandbox"):
        Home(tmp_path, name).running()
