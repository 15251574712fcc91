"""What may stand next on a command line, and each shell that asks for it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from opsctl.cli import COMMANDS, live_names, main
from opsctl.cli.complete import FILES, complete
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot
from tests.opsctl.snapshots import NAMES, START

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = "name: x\nenvironments:\n  staging: {}\n  production: {}\n"


def offered(*words: str, environ: dict[str, str] | None = None) -> list[str]:
    lines, _ = complete("fish", words, environ or {})
    return [line.partition("\t")[0] for line in lines]


def test_every_command_is_offered_with_what_it_does() -> None:
    lines, _ = complete("fish", [""], {})
    assert dict(line.split("\t") for line in lines) == dict(COMMANDS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("db", "u"), ["up"]),
        (("--env", "staging", "db", "u"), ["up"]),
        (("db", "--json", "u"), ["up"]),
        (("ecs", "up", "--new"), ["--new-ami"]),
        (("update-tasks", "--strategy", ""), ["rolling", "stop"]),
        (("update-tasks", "--strategy=r"), ["--strategy=rolling"]),
        (("render", "db", "al"), ["alarms"]),
        (("logs", "tail", "app", "st"), ["stdout"]),
        (("logs", "tail", "--level", "err"), ["error"]),
        (("metrics", "cl"), ["cluster"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("completion", "bash", ""), []),
        (("db", "--set", "db.engine_v"), ["db.engine_version="]),
        (("--set=db.engine=v",), ["--set=db.engine=valkey"]),
        (("--pl",), ["--plain"]),
        (("nonsense", "--pl"), ["--plain"]),
    ],
)
def test_words_are_completed_where_they_may_stand(
    words: tuple[str, ...], expected: list[str]
) -> None:
    assert offered(*words) == expected


@pytest.mark.parametrize("words", [("--config", "x"), ("-c", ""), ("render", "--out", "")])
def test_the_shell_names_files_where_a_file_is_meant(words: tuple[str, ...]) -> None:
    assert complete("zsh", words, {}) == ([], FILES)


def test_the_environments_are_those_of_the_config_on_the_line(tmp_path: Path) -> None:
    config = tmp_path / "other.yaml"
    config.write_text(ENVIRONMENTS)
    assert offered("--config", str(config), "db", "-e", "") == ["staging", "production"]
    assert offered("--env", "", environ={"OPSCTL_CONFIG": str(config)}) == ["staging", "production"]


def test_the_secrets_are_those_of_the_config(tmp_path: Path) -> None:
    config = tmp_path / "opsctl.yaml"
    config.write_text("secrets: {values: {token: 'ssm:/a'}}\necs: {secrets: {API: 'ssm:/b'}}\n")
    assert offered("--config", str(config), "secrets", "set", "") == ["token", "API"]


@pytest.mark.parametrize("text", [None, "a: [", "\x00", "[" * 5000])
def test_a_config_that_cannot_be_read_offers_nothing(tmp_path: Path, text: str | None) -> None:
    config = tmp_path / "opsctl.yaml"
    if text is not None:
        config.write_text(text)
    assert offered("--config", str(config), "--env", "") == []


def test_bash_gets_only_what_follows_the_last_equals_sign() -> None:
    assert complete("bash", ["opsctl --set db.engine=v"], {}) == (["valkey"], 0)
    assert complete("bash", ["opsctl update-tasks --strategy=st"], {}) == (["stop"], 0)


@pytest.mark.parametrize("line", ["opsctl db 'u", "opsctl 'db' u", 'opsctl "', "opsctl", ""])
def test_an_open_quote_is_no_traceback(line: str) -> None:
    complete("bash", [line], {})


def test_names_in_aws_are_asked_for_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask() -> live_names.Names:
        asked.append("")
        return [("task-1", "RUNNING")]

    def names() -> live_names.Names:
        return live_names._kept("key", {"XDG_CACHE_HOME": str(tmp_path)}, 60.0, ask)

    assert names() == names() == [("task-1", "RUNNING")]
    assert len(asked) == 1
    [file] = (tmp_path / "opsctl").iterdir()
    os.utime(file, (0, time.time() - 61))
    names()
    assert len(asked) == 2


def parameters(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    for parameter in (*node.get("options", ()), *node.get("arguments", ())):
        yield " ".join([*path, parameter["name"]])
    for name, command in (node.get("commands") or {}).items():
        yield from parameters(command, (*path, name))


def test_live_names_are_those_of_parameters_that_there_are() -> None:
    table = json.loads((ROOT / "opsctl/cli/commands.json").read_text(encoding="utf-8"))
    named = {*live_names._IN_AWS, *live_names._OF_CONFIG, *live_names._OF_SOURCES}
    assert named <= set(parameters(table))


def test_alarms_and_stacks_are_named_without_aws(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text(
        "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-0000000a, subnet-0000000b]}\n"
    )
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    line = f"opsctl --config {tmp_path / 'opsctl.yaml'}"
    said, _ = complete("bash", [f"{line} alarms explain healthy"], environ)
    assert said == ["healthy-hosts"]
    assert complete("bash", [f"{line} unlock web-ec"], environ)[0] == ["web-ecr", "web-ecs"]


def test_a_release_is_named_with_its_outcome() -> None:
    one = Release(7, START, outcome="deployed", why="new rule")
    now = Snapshot(START, NAMES, releases=(one,))
    assert live_names._releases(now) == [("7", "2026-11-26 12:00Z deployed: new rule")]


@pytest.mark.parametrize(
    "words", ["opsctl ", "opsctl db ", "opsctl --set db.", "opsctl logs tail "]
)
def test_completion_imports_nothing_heavy(words: str) -> None:
    heavy = ("boto3", "botocore", "docker", "rich", "typer", "pydantic", "jinja2", "yaml")
    script = (
        "import sys; from opsctl.cli import main; main(sys.argv[1:]);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, words],
        env={**os.environ, "_OPSCTL_COMPLETE": "bash"},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


class Terminal:
    """A real shell with our script. `opsctl` prints its arguments there, but for completion."""

    def __init__(self, shell: str, folder: Path) -> None:
        if shutil.which(shell) is None:
            message = f"{shell} is not installed"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
        (folder / "opsctl.yaml").write_text(ENVIRONMENTS)
        (folder / "afile.yaml").touch()
        command = folder / "bin/opsctl"
        command.parent.mkdir()
        command.write_text(
            '#!/bin/sh\n[ -n "$_OPSCTL_COMPLETE" ] || [ "$1" = completion ] || '
            f'{{ echo "<$*>"; exit; }}\nexec {sys.executable} -m opsctl "$@"\n'
        )
        command.chmod(0o755)
        arguments = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}
        environ = {
            **os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "HOME": str(folder),
            "TERM": "dumb", "PS1": "$ ", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.child = pexpect.spawn(
            shell, arguments[shell], cwd=str(folder), env=environ, encoding="utf-8", timeout=20
        )
        ready = {
            "bash": 'eval "$(opsctl completion bash)"',
            "zsh": 'autoload -U compinit && compinit -u; eval "$(opsctl completion zsh)"',
            "fish": "opsctl completion fish | source",
        }
        self.child.sendline(f"{ready[shell]}; echo rea''dy")
        self.child.expect("ready")

    def expanded(self, typed: str) -> str:
        """The arguments of the command that one Tab makes of what was typed."""
        self.child.send(f"{typed}\t")
        # Shells draw the new word in ways of their own, so the end is when they draw no more.
        self.child.expect(typed.split()[-1])
        self.child.expect("(?s).+")
        while self.child.expect(["(?s).+", pexpect.TIMEOUT], timeout=0.3) == 0:
            pass
        self.child.send("\r")
        self.child.expect("<(.*?)>")
        assert isinstance(self.child.match, re.Match)
        return str(self.child.match[1]).strip()


EXPECTED = {
    "opsctl update-t": "update-tasks",
    "opsctl --env prod": "--env production",
    "opsctl --set db.engine=val": "--set db.engine=valkey",
    "opsctl --config afi": "--config afile.yaml",
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_tab_completes_in_the_real_shell(shell: str, tmp_path: Path) -> None:
    terminal = Terminal(shell, tmp_path)
    try:
        for typed, expected in EXPECTED.items():
            assert terminal.expanded(typed) == expected
    finally:
        terminal.child.close(force=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_put_where_the_shell_looks(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert main(["completion", shell, "--install"]) == 0
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert f"wrote {file}" in capsys.readouterr().err
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == file.read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert main(["completion", "bash", "--install"]) == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["-e", "logs tail --task", "secrets set"])
def test_a_config_that_is_a_pipe_is_not_waited_for(line: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    assert offered("-c", str(tmp_path / "pipe"), *line.split(), "") == []
    assert time.monotonic() - began < 1
