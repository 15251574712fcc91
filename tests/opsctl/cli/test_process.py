"""Which process holds a lock, and whether it has certainly ended."""

import os
import subprocess
import sys

import pytest

from opsctl.cli import process

pytestmark = pytest.mark.skipif(not process.process(), reason="no /proc on this system")


def test_this_process_is_not_gone() -> None:
    assert not process.gone(process.process())


def test_a_process_that_has_ended_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    machine = process.process().split(" ", 1)[0]
    started = process._started(child.pid)
    told = f"{machine} {child.pid} {started}"
    assert not process.gone(told)
    child.kill()
    child.communicate()
    assert process.gone(told)


def test_another_process_with_the_same_number_is_not_the_one() -> None:
    machine = process.process().split(" ", 1)[0]
    assert process.gone(f"{machine} {os.getpid()} 1")


def test_of_another_machine_nothing_is_certain() -> None:
    assert not process.gone("otherboot/pid:[1] 1 1")
    assert not process.gone("")


def test_a_secret_on_the_command_line_stays_out_of_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--set", "ecs.environment.TOKEN=two words", "--set", "ecs.cpu=512", "ecs", "up"]
    monkeypatch.setattr(sys, "argv", ["opsctl", *words])
    caller = process.caller("token=canary")
    assert caller.command == "--set ecs.environment.TOKEN=••• --set ecs.cpu=512 ecs up"
    assert "canary" not in caller.why
