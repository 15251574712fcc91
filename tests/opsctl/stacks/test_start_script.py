"""What an instance runs at its start, run for real: other folders, and stubs for its programs.

Each failure must be told on the console, and by a signal where the program for it is there.
"""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.config import document, load
from opsctl.config.sources import START_LOG_BEGINS
from opsctl.snapshot import start_logs
from opsctl.stacks import definition, template
from tests.opsctl.stacks.test_lint import TEXT

BIN = "/opt/aws/bin"
JOINED = 'echo \'{"Cluster":"c","ContainerInstanceArn":"arn:aws:ecs:1"}\''
PROGRAMS = {
    "dnf": "true",
    "rpm": "true",
    "systemctl": "true",
    "journalctl": 'echo "docker: started"',
    "sleep": "exec /bin/sleep 0.05",
    "curl": JOINED,
}


class Machine:
    """A folder that stands for a new instance."""

    def __init__(self, root: Path, *sets: str) -> None:
        self.root = root
        config = load.link(
            document.parse(TEXT, "opsctl.yaml"), environment=None, environ={}, overrides=sets
        ).config
        launch = template.properties(definition.ecs(config).template, "LaunchTemplate")
        data = launch["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
        for name in ("/var/log/ecs", "/usr/local/sbin", "/etc/ecs", "/etc/systemd/system", BIN):
            (root / name[1:]).mkdir(parents=True)
        (root / "opt/aws/amazon-cloudwatch-agent/etc").mkdir(parents=True)
        folders = r"(/var/log|/usr/local/sbin|(?<!agent)/etc/|/opt/aws|/dev/console|/proc/)"
        data = re.sub(folders, rf"{root}\1", data)
        (root / "dev").mkdir()
        (root / "proc").mkdir()
        (root / "bin").mkdir()
        self.uptime(60)
        for name, does in PROGRAMS.items():
            self.program(f"bin/{name}", does)
        for name in ("cfn-init", "cfn-signal"):
            self.program(f"{BIN[1:]}/{name}", "true")
        (root / "user-data").write_text(data)

    def uptime(self, seconds: int) -> None:
        (self.root / "proc/uptime").write_text(f"{seconds}.25 100.00\n")

    def program(self, path: str, does: str) -> None:
        file = self.root / path
        file.write_text(f'#!/bin/bash\necho "{file.name} $*" >> {self.root}/called\n{does}\n')
        file.chmod(0o755)

    def run(self, *command: str, seconds: int = 0) -> int:
        """Run it as if it had begun `seconds` ago."""
        path = f"{self.root}/bin:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", *command],
            env={"PATH": path, "SECONDS": str(seconds)},
            capture_output=True,
            timeout=20,
        )
        return done.returncode

    def start(self, *, seconds: int = 0) -> int:
        return self.run(str(self.root / "user-data"), seconds=seconds)

    def join(self) -> int:
        return self.run(str(self.root / "usr/local/sbin/opsctl-join"))

    @property
    def called(self) -> str:
        return (self.root / "called").read_text()

    @property
    def last_words(self) -> str:
        """What opsctl shows of the console."""
        console = self.root / "dev/console"
        lines = console.read_text().splitlines() if console.exists() else ()
        return "\n".join(start_logs.last_words(lines))


def test_an_instance_signals_success_only_when_its_agent_has_joined(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.start() == 0
    assert "cfn-signal" not in machine.called and not machine.last_words
    assert "systemctl start --no-block opsctl-join" in machine.called

    # The agent answers at the second look, and has joined at the third.
    answers = f'n=$(grep -c ^curl {tmp_path}/called); [ "$n" -gt 1 ] || exit 7\n'
    alone = '{ echo \'{"Cluster":"c"}\'; exit; }'
    machine.program("bin/curl", f'{answers}[ "$n" -gt 2 ] || {alone}\n{JOINED}')
    assert machine.join() == 0
    assert machine.called.count("\ncurl") == 3
    assert machine.called.count("cfn-signal --exit-code 0 --stack") == 1


def no_network(machine: Machine) -> None:
    machine.program("bin/dnf", 'echo "Error: Failed to download metadata for repo"; exit 1')
    machine.program("bin/rpm", 'echo "package $2 is not installed"; exit 2')
    (machine.root / "opt/aws/bin/cfn-signal").unlink()


def packages_hang(machine: Machine) -> None:
    machine.program("bin/timeout", "exit 124")
    machine.program("bin/rpm", 'echo "package $2 is not installed"; exit 2')


def disk_is_full(machine: Machine) -> None:
    (machine.root / "usr/local/sbin").rmdir()


def cfn_init_fails(machine: Machine) -> None:
    log = machine.root / "var/log/cfn-init-cmd.log"
    machine.program(
        "opt/aws/bin/cfn-init",
        f'echo "[INFO] Failed to start the agent" > {log}\n'
        f'echo "[ERROR] Exited with error code 1" >> {log}\n'
        'echo "Error occurred during build: Command 01_logs failed"; exit 1',
    )


def no_unit(machine: Machine) -> None:
    machine.program("bin/systemctl", '[ "$1" != start ] || { echo "no systemd"; exit 1; }')


@pytest.mark.parametrize(
    ("fails", "words", "signals"),
    [
        (no_network, "Failed to download metadata", False),
        (packages_hang, "exit code 2: rpm -q aws-cfn-bootstrap amazon-cloudwatch-agent", True),
        (disk_is_full, "", False),
        (cfn_init_fails, "Failed to start the agent", True),
        (no_unit, "no systemd", True),
    ],
)
def test_a_start_script_that_fails_tells_why_and_starts_no_agent(
    tmp_path: Path, fails: Callable[[Machine], None], words: str, signals: bool
) -> None:
    machine = Machine(tmp_path)
    fails(machine)
    assert machine.start(seconds=1000) != 0
    assert START_LOG_BEGINS in (tmp_path / "dev/console").read_text()
    assert words in machine.last_words
    assert "systemctl mask --now --no-block ecs" in machine.called
    assert "start --no-block opsctl-join" not in machine.called or fails is no_unit
    assert ("cfn-signal --exit-code 1" in machine.called) is signals


@pytest.mark.parametrize(
    ("answer", "line"),
    [("exit 7", "docker: started"), ('echo "{}"', "AccessDeniedException: ecs:Register")],
)
def test_an_agent_that_never_joins_tells_why(tmp_path: Path, answer: str, line: str) -> None:
    machine = Machine(tmp_path)
    machine.start()
    machine.program("bin/curl", answer)
    machine.uptime(719)
    # The clock of the machine may be wrong, the seconds since its boot are not.
    machine.program("bin/sleep", f"echo 720.1 1 > {tmp_path}/proc/uptime; exec /bin/sleep 0.05")
    agent = tmp_path / "var/log/ecs/ecs-agent.log"
    agent.write_text('level=error msg="AccessDeniedException: ecs:RegisterContainerInstance"\n')
    assert machine.join() == 0
    assert line in machine.last_words and "has not joined the cluster" in machine.last_words
    assert machine.called.count("cfn-signal --exit-code 1") == 1
    assert "mask" not in machine.called, "it may still join when ECS can be reached again"


@pytest.mark.parametrize("minutes", [3, 5, 15, 60, 720])
def test_an_instance_gives_up_before_its_stack_does(tmp_path: Path, minutes: int) -> None:
    text = (Machine(tmp_path, f"compute.signal_timeout={minutes}m").root / "user-data").read_text()
    [patience] = {int(seconds) for seconds in re.findall(r"timeout -k 10 (\d+)", text)}
    [deadline] = {int(seconds) for seconds in re.findall(r"uptime\)\" -ge (\d+)", text)}
    assert 3 * patience + 20 < 0.9 * 60 * minutes
    assert 90 <= deadline <= 0.8 * 60 * minutes
