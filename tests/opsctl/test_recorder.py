"""The flight recorder: whole, for its owner only, redacted, bounded; and read back as it was."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from opsctl.aws import FailedCall
from opsctl.cause import rank
from opsctl.cause.history import Failure
from opsctl.errors import ConfigError, OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Joining, Notice
from opsctl.recorder import Recorder
from opsctl.recording import Begun, Recording
from opsctl.recording_files import prune
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.tasks import Task
from tests.opsctl.cause.histories import rolled, task
from tests.opsctl.snapshots import NAMES, NEW, OLD, START, event, happened, stack

LOOK = Look(frozenset({"service", "tasks", "targets", "task_definitions", "lines"}))


def looked(now: Snapshot, seconds: float = 0) -> Snapshot:
    return replace(now, look=LOOK, at=START + timedelta(seconds=seconds))


def recorder(folder: Path, command: str = "update-tasks --yes") -> Recorder:
    return Recorder(folder, Begun(command, "web", "staging", "1"), NAMES, now=lambda: START)


def read(made: Recorder) -> Recording:
    assert made.path is not None
    return Recording.read(made.path.read_text().splitlines())


def test_what_is_read_back_has_the_same_causes(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.take(looked(rolled(task(code=1))))
    made.take(looked(rolled(task(code=1), task("t2", code=1), lines={"t1": ("no such file",)}), 9))
    made.take(Joining("somebody deploys"))
    failed = happened(event("e1", "UPDATE_FAILED", "no", of="Service"), seconds=12)
    made.take(replace(failed, look=Look(frozenset({"events"}))))
    explained = made.explain(Outcome("rolled-back", "the deployment failed", "x"))
    made.close("failed")
    recording = read(made)
    causes = rank.rank(recording.history)
    assert causes == made.causes()
    assert (explained.reason, explained.hint) == (causes[0].sentence, causes[0].next)
    assert (recording.begun.command, recording.outcome) == ("update-tasks --yes", "failed")
    assert set(recording.history.tasks) == {"t1", "t2"}
    assert "e1" in recording.history.stack_events


def test_parts_that_did_not_change_are_written_once(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    many = tuple(Task(f"t{n}", "RUNNING", NEW, "d2") for n in range(200))
    for second in range(10):
        made.take(looked(rolled(*many), second * 60))
    made.close("done")
    assert made.path is not None
    lines = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert sum("tasks" in line.get("changed", ()) for line in lines) == 1
    assert len(read(made).history.tasks) == 200


def test_a_large_system_is_written_less_often_and_read_back_whole(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for second in range(30):
        tasks = (Task(f"t{n}-{second}", "RUNNING", NEW, "d2") for n in range(500))
        failed = FailedCall("ecs:DescribeTasks", "throttled", "Throttling", "slow", 1, START)
        made.take(replace(looked(rolled(*tasks), second), failed_calls=(failed,)))
    made.close("done")
    recording = read(made)
    assert len(recording.snapshots) < 30
    [call] = recording.history.failed_calls.values()
    assert call.times == 30
    assert "t0-29" in {task.id for task in recording.history.now.tasks}


def test_it_is_for_its_owner_only_and_kept_out_of_repositories(tmp_path: Path) -> None:
    made = recorder(tmp_path / ".opsctl" / "recordings")
    assert made.path is not None
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700
    assert (tmp_path / ".opsctl" / ".gitignore").read_text() == "*\n"
    assert made.path.name == "20261126T120000-update-tasks.jsonl"
    made.close("done")


CANARIES = {
    "AKIAIOSFODNN7CANARYX": "key AKIAIOSFODNN7CANARYX refused",
    "s3cr3t-canary": "redis://user:s3cr3t-canary@cache:6379 cannot be reached",
    "eyJhbGciOiJ.eyJjYW5hcnki.sig": "token eyJhbGciOiJ.eyJjYW5hcnki.sig expired",
    "hunter2canary": "PASSWORD=hunter2canary",
}


@dataclass(frozen=True)
class Plan:
    """As a plan of a stack holds them: values of the config."""

    template: str
    before: str
    text: str


@pytest.mark.parametrize("secret", CANARIES)
def test_no_secret_is_written(tmp_path: Path, secret: str) -> None:
    text = CANARIES[secret]
    made = recorder(tmp_path)
    made.take(looked(rolled(task(code=1, reason=text), lines={"t1": (text,)})))
    failed = happened(event("e1", "CREATE_FAILED", text, of="Thing"))
    made.take(replace(failed, look=Look(frozenset({"events"}))))
    made.take(Notice(text))
    made.take(Plan(template=f"Value: {secret}", before=secret, text=text))
    made.answered(text, True)
    made.error(OpsError(text, hint=text))
    made.close("failed")
    assert made.path is not None and secret not in made.path.read_text()


def test_a_killed_command_loses_its_last_line_at_most(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from opsctl.procedure import Notice
from opsctl.recorder import Recorder
from opsctl.recording import Begun
made = Recorder(Path({str(tmp_path)!r}), Begun("db up"))
for number in range(50):
    made.take(Notice(f"line {{number}}"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    [path] = tmp_path.glob("*.jsonl")
    recording = Recording.read(path.read_text().splitlines())
    assert len(recording.items) == 50 and recording.outcome == ""
    cut = path.read_text()[:-20]
    assert len(Recording.read(cut.splitlines()).items) == 49


def test_the_newest_twenty_stay_and_no_more_than_fits(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"2026112{number:02}-x.jsonl").write_text("x" * 100)
    prune(tmp_path)
    assert len(list(tmp_path.glob("*.jsonl"))) == 20
    prune(tmp_path, size=350)
    assert [path.name for path in sorted(tmp_path.glob("*.jsonl"))] == [
        "202611222-x.jsonl",
        "202611223-x.jsonl",
        "202611224-x.jsonl",
    ]


def test_two_commands_in_one_second_have_two_recordings(tmp_path: Path) -> None:
    first, second = recorder(tmp_path), recorder(tmp_path)
    assert first.path != second.path
    first.close("done")
    second.close("done")


def test_where_nothing_can_be_written_the_causes_are_known_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = recorder(tmp_path / "file" / "recordings")
    assert made.path is None and made.trouble
    made.take(looked(rolled(task(code=1))))
    assert made.causes()[0].id == "container-exited"
    made.close("failed")


def test_a_refused_config_is_told_by_its_first_finding(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.error(ConfigError("the config has 1 error", findings=["opsctl.yaml:1:1 ecs: no room"],
                           cause="no-room"))  # fmt: skip
    [cause] = made.causes()
    assert cause.id == "no-room" and "opsctl.yaml:1:1 ecs: no room" in cause.sentence
    made.close("failed")


@pytest.mark.parametrize("lines", [[], ["{}"], ["[1]"], ["not JSON"], ['{"type": "snapshot"}']])
def test_what_is_no_recording_is_refused_in_a_sentence(lines: Iterable[str]) -> None:
    with pytest.raises(OpsError, match="this is not a recording of opsctl"):
        Recording.read(lines)


def test_an_outcome_that_was_wanted_is_not_explained(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    outcome = Outcome("cancelled", "nothing was rolled")
    assert made.explain(outcome) == outcome
    made.close("failed")


def test_times_are_those_of_the_clock_that_it_is_given(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.close("done")
    assert read(made).ended == START and isinstance(START, datetime)
    assert os.listdir(tmp_path)


def test_what_stands_in_one_line_was_seen_in_one_look(tmp_path: Path) -> None:
    # Two looks within a moment: the stack before a change, the service after it.
    before = stack("ecs", "UPDATE_COMPLETE", outputs={"TaskDefinitionArn": OLD})
    made = recorder(tmp_path)
    now = looked(rolled(), -1)
    made.take(replace(now, look=Look(frozenset({"stacks"})), stacks={"ecs": before}))
    made.take(now)
    made.take(now)
    made.close("done")
    found = read(made)
    assert found.history.definitions == () and len(found.snapshots) == 2


SLOW = FailedCall(
    "ecs:DescribeTasks", "throttled", "ThrottlingException", "Rate exceeded", 1, START
)


def test_a_command_that_is_killed_while_aws_throttles_it_leaves_a_trace_of_that(
    tmp_path: Path,
) -> None:
    made = recorder(tmp_path)
    made.failing(SLOW)
    # Nobody closed it, and no look has ended since.
    causes = rank.rank(read(made).history)
    assert [cause.id for cause in causes] == ["throttled"]
    assert causes[0].sentence == "AWS throttled 1 call of this account"


def test_what_was_written_at_once_is_not_counted_twice(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.failing(SLOW)
    made.take(replace(looked(rolled()), failed_calls=(replace(SLOW, times=4),)))
    made.failing(replace(SLOW, operation="ecs:ListTasks"))
    made.close("failed", [replace(SLOW, operation="ecs:ListTasks", times=2)])
    calls = read(made).history.failed_calls.values()
    assert sorted((call.operation, call.times) for call in calls) == [
        ("ecs:DescribeTasks", 4),
        ("ecs:ListTasks", 2),
    ]


def test_a_long_outage_is_not_written_again_and_again(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for number in range(1000):
        made.failing(replace(SLOW, at=START + timedelta(seconds=number)))
        made.failing(replace(SLOW, operation=f"ecs:Operation{number}"))
    assert made.path is not None
    assert made.path.stat().st_size < 50_000


def test_calls_that_fail_in_threads_while_it_is_closed_hurt_nobody(tmp_path: Path) -> None:
    for turn in range(20):
        made = recorder(tmp_path / str(turn))
        raised: list[BaseException] = []

        def fail(number: int, made: Recorder = made, raised: list[BaseException] = raised) -> None:
            try:
                for step in range(20):
                    way = f"ecs:Call{number}-{step}"
                    made.failing(FailedCall(way, "throttled", "Throttling", "slow", 1, START))
            except BaseException as error:
                raised.append(error)

        threads = [Thread(target=fail, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        made.close("failed")
        other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # takes the free number
        for thread in threads:
            thread.join()
        assert raised == [] and os.fstat(other).st_size == 0
        os.close(other)
        assert made.path is not None
        assert json.loads(made.path.read_text().splitlines()[-1])["type"] == "end"


def test_what_cannot_be_written_never_replaces_the_error_of_the_command(tmp_path: Path) -> None:
    made = recorder(tmp_path)

    @dataclass(frozen=True)
    class Odd:
        value: Any

    circle: list[Any] = []
    circle.append(circle)
    made.take(Odd(circle))
    assert made.trouble
    made.failed(Failure("AwsError", "no"))
    made.close("failed")


def test_a_recording_that_another_command_removes_meanwhile_is_passed_over(tmp_path: Path) -> None:
    for number in (1, 3):
        (tmp_path / f"2026112{number}T120000-x.jsonl").write_text("")
    (tmp_path / "20261122T120000-gone.jsonl").symlink_to(tmp_path / "nowhere")
    prune(tmp_path, kept=1)
    kept = [path.name for path in tmp_path.iterdir() if path.exists()]
    assert kept == ["20261123T120000-x.jsonl"]
