"""`opsctl why` of a file: anywhere, without a config, in the same words as the command's screen."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from opsctl import cli
from opsctl.cause.history import Failure
from opsctl.cli import bundle
from opsctl.cli import recording as recordings
from opsctl.outcome import Outcome
from opsctl.recorder import Recorder
from opsctl.recording import Begun
from opsctl.snapshot.snapshot import Look
from tests.opsctl.cause.histories import rolled, task
from tests.opsctl.snapshots import NAMES, OLD, START, deployment, snapshot

LOOK = Look(frozenset({"service", "tasks", "task_definitions", "targets", "lines"}))
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_REGION": "us-east-1",
}
ROLLED = replace(rolled(task(code=3), lines={"t1": ("no such file",)}), look=LOOK)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A failed update-tasks, in a directory without a config."""
    monkeypatch.chdir(tmp_path)
    made = Recorder(tmp_path / "kept", Begun("update-tasks --yes", "web"), NAMES)
    made.take(ROLLED)
    made.explain(Outcome("rolled-back", "the deployment failed"))
    made.close("failed")
    assert made.path is not None
    return made.path


def test_a_recording_is_explained_without_config_and_network(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["why", "--from", str(recorded)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1  certain   container `web` exited 3, and last said: no such file")
    assert "→ opsctl logs tail stdout" in out
    assert "looked at: 1 task" in out


def test_hints_carry_the_options_of_the_command_line(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["-e", "staging", "why", "--from", str(recorded)]) == 0
    assert "→ opsctl --env staging logs tail stdout" in capsys.readouterr().out


def test_what_is_saved_says_the_same_and_has_a_page(
    recorded: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["--json", "why", "--from", str(recorded), "--save", "b", "--html", "p"]) == 0
    first = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert cli.main(["--json", "why", "--from", "b"]) == 0
    second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in first if one["type"] == "cause"] == ["container-exited"]
    assert first[:-1] == second[:-1]
    assert "exited 3" in (tmp_path / "p").read_text()
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_without_a_config_it_says_so_and_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["why"]) == 2
    assert "there is no `opsctl.yaml`" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["status", "why"])
def test_when_nobody_answers_it_says_so_and_exits_3(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "opsctl.yaml").write_text(
        "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
    )
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    assert cli.main([command]) == 3
    out = capsys.readouterr().out
    assert "nothing answers" in out and "nothing wrong" not in out


def test_one_file_cannot_be_the_bundle_and_the_page(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["why", "--from", str(recorded), "--save", "x", "--html", "./x"]) == 2
    assert "--save and --html name the same file" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "no JSON", "{}", "\x00\xff"])
def test_any_other_file_is_refused_in_a_sentence(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.write_text(content)
    assert cli.main(["why", "--from", str(other)]) == 1
    assert "error: this is not a recording of opsctl" in capsys.readouterr().err
    assert cli.main(["why", "--from", str(tmp_path / "absent")]) == 1


def test_a_failure_is_history_only_while_nothing_newer_is_well(recorded: Path) -> None:
    recording = recordings.read(recorded)
    assert recordings.with_looks(recording, [snapshot(deployment("d1", OLD))]).failures
    newer = replace(deployment("d9", OLD), created=(recording.ended or START) + timedelta(hours=1))
    now = replace(snapshot(newer), look=Look(frozenset({"service", "targets"})))
    assert not recordings.with_looks(recording, [now]).failures


def test_a_bundle_from_after_the_failure_was_repaired_says_that_nothing_is_wrong(
    recorded: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # `why` said "nothing wrong", and `why --from` its own bundle showed the old failure.
    recording = recordings.read(recorded)
    at = (recording.ended or START) + timedelta(hours=1)
    newer = replace(deployment("d9", OLD), created=at)
    look = Look(frozenset({"service", "targets"}))
    now = replace(snapshot(newer), look=look, at=at + timedelta(minutes=5))
    live = bundle.Incident(recordings.with_looks(recording, [now]), recording, now.at, (now,))
    bundle.save(live, tmp_path / "b")
    assert cli.main(["why", "--from", str(tmp_path / "b")]) == 0
    assert "nothing wrong that can be seen" in capsys.readouterr().out


def test_the_newest_recording_of_this_system_is_taken_while_it_is_recent(tmp_path: Path) -> None:
    for system, command in (("web", "ecs up"), ("other", "db up")):
        made = Recorder(tmp_path, Begun(command, system), NAMES)
        made.close("done")
    found = recordings.newest(tmp_path, "web")
    assert found is not None and found.begun.command == "ecs up"
    assert recordings.newest(tmp_path, "nobody") is None


@pytest.mark.parametrize("second", ["update-tasks", "ecs up"])
def test_of_two_commands_that_began_in_one_second_the_later_is_the_newest(
    second: str, tmp_path: Path
) -> None:
    times = iter(START + timedelta(milliseconds=n) for n in (1, 1, 2, 2))
    for command in ("update-tasks", second):
        made = Recorder(tmp_path, Begun(command, "web"), NAMES, now=lambda: next(times))
        made.close("done")
    found = recordings.newest(tmp_path, "web", now=START + timedelta(seconds=1))
    assert found is not None and found.at == START + timedelta(milliseconds=2)


def test_of_two_commands_at_once_the_one_that_failed_is_explained(tmp_path: Path) -> None:
    times = iter(START + timedelta(seconds=n) for n in range(100))
    overtaken = Recorder(tmp_path, Begun("update-tasks one", "web"), NAMES, now=lambda: next(times))
    other = Recorder(tmp_path, Begun("ecs up", "web"), NAMES, now=lambda: next(times))
    overtaken.failed(Failure("superseded", "superseded: by web:2"))
    overtaken.close("superseded")
    other.close("done")
    found = recordings.newest(tmp_path, "web", now=START + timedelta(minutes=5))
    assert found is not None and found.begun.command == "update-tasks one"


@pytest.mark.parametrize(
    "words", sorted(words for words in recordings.CHANGING if words[0] in cli.COMMANDS)
)
def test_each_command_that_is_recorded_exists(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--help"]) == 0
    assert f"opsctl {' '.join(words)} [OPTIONS]" in capsys.readouterr().out
