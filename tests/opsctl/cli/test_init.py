"""`opsctl init`: on a pipe, on a terminal, with an account and without one."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pytest

from opsctl.cli import main
from opsctl.config import load
from opsctl.config.model import Config
from tests.opsctl.cli.conftest import ROOT

NOBODY = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_CONFIG_FILE": "/nonexistent",
}


def config(folder: Path) -> Config:
    return load.load(folder / "opsctl.yaml", environment=None, environ={}).config


def test_a_pipe_is_asked_nothing_and_gets_a_system_of_the_sandbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Orders.API"
    assert main(["init", str(folder), "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert objects[-1]["next"][0] == f"cd {folder}"
    assert objects[-1]["name"] == config(folder).name == "orders-api"
    assert {"path": str(folder / "Dockerfile"), "kept": False}.items() <= objects[1].items()


@pytest.mark.parametrize(
    ("name", "step"),
    [("two words", "cd 'two words'"), ("-x", "cd -- -x"), ("a", "cd a"), ("$(x)", "cd '$(x)'")],
)
def test_the_first_step_leads_into_a_directory_of_any_name(
    name: str,
    step: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--json", "--", name]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["next"][0] == step
    assert len(config(tmp_path / name).name) > 1


def test_a_second_time_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--name", "ab"]) == 0
    (tmp_path / "opsctl.yaml").write_text("mine")
    capsys.readouterr()
    assert main(["init", str(tmp_path), "--name", "bb"]) == 0
    said = capsys.readouterr().err
    assert f"kept, as it was there: {tmp_path / 'opsctl.yaml'}" in said and "wrote" not in said
    assert (tmp_path / "opsctl.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["Foo", "a" * 21, "a--b", "1a", "", "a"])
def test_a_name_that_aws_would_refuse_is_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--name", name]) == 2
    assert "allowed: two or more, up to 20" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_network_of_the_account_is_not_taken_for_the_sandbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--name", "bb", "--vpc", "vpc-00000001"]) == 2
    assert (
        f"hint: opsctl init {tmp_path} --name bb --vpc vpc-00000001 --account"
        in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_the_account_is_read_when_it_is_asked_for(
    tmp_path: Path,
    endpoint: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    assert main(["init", str(tmp_path), "--name", "ab", "--account"]) == 0
    made = config(tmp_path)
    assert (made.aws.account, made.network.vpc) == ("123456789012", "vpc-00000001")
    assert len(made.network.subnets) == 3
    assert "  opsctl secrets set refresh_token\n" in capsys.readouterr().err

    for words, said in [
        (["--vpc", "x"], "has no VPC `x`"),
        (["--subnet", "x"], "has no subnet `x`"),
        (["--subnet", "subnet-00000001"], "no subnets in two zones"),
    ]:
        assert main(["init", str(tmp_path / "b"), "--name", "bb", "--account", *words]) in (1, 2)
        assert said in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_without_credentials_the_account_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert main(["init", str(tmp_path), "--name", "ab", "--account"]) == 3
    assert "there are no AWS credentials" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


Ask = Callable[..., str]


@pytest.fixture
def terminal(tmp_path: Path) -> Ask:
    def run(environ: Mapping[str, str], *answers: tuple[str, str]) -> str:
        """What was said when each question was answered; '' is Enter, `\\x04` Ctrl-D."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        child = pexpect.spawn(
            sys.executable, ["-m", "opsctl", "init"], cwd=str(tmp_path), encoding="utf-8",
            env={**kept, **environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}, timeout=30,
            dimensions=(40, 200),
        )  # fmt: skip
        said = ""
        for question, answer in answers:
            child.expect_exact(question)
            said += child.before or ""
            child.send(answer if answer == "\x04" else f"{answer}\r")
        child.expect(pexpect.EOF)
        child.close()
        return f"{said}{child.before}exit {child.exitstatus}"

    return run


def test_a_terminal_is_asked_for_name_account_and_subnets(
    tmp_path: Path, endpoint: Mapping[str, str], terminal: Ask
) -> None:
    said = terminal(
        endpoint,
        ("name of the system [", "orders"),
        ("for AWS account 123456789012 in us-east-1?", ""),
        ("which subnets? [1,2,3] ", "1"),
        ("which subnets? [1,2,3] ", "1, 3"),
    )
    assert "subnet-00000001  us-east-1a  4091 free  to the internet" in said
    assert "the load balancer needs subnets in at least two zones" in said
    assert config(tmp_path).network.subnets == ["subnet-00000001", "subnet-00000003"]
    assert said.endswith("exit 0")


def test_a_terminal_may_choose_the_sandbox_and_is_asked_again_until_it_answers(
    tmp_path: Path, endpoint: Mapping[str, str], terminal: Ask
) -> None:
    said = terminal(
        endpoint,
        ("name of the system", "Orders!"),
        ("name of the system", "orders"),
        ("for AWS account", "perhaps"),
        ("for AWS account", "n"),
    )
    assert "`Orders!` cannot be one; allowed: two or more" in said and "y or n" in said
    assert (config(tmp_path).name, config(tmp_path).aws.account) == ("orders", None)


def test_a_terminal_without_credentials_is_told_so(tmp_path: Path, terminal: Ask) -> None:
    said = terminal({**NOBODY, "AWS_REGION": "us-east-1"}, ("name of the system", "orders"))
    assert "there are no AWS credentials, so this will be a system of the sandbox" in said
    assert config(tmp_path).name == "orders"


def test_an_end_of_input_writes_nothing(
    tmp_path: Path, endpoint: Mapping[str, str], terminal: Ask
) -> None:
    said = terminal(endpoint, ("name of the system", "orders"), ("for AWS account", "\x04"))
    assert re.search("no answer, so nothing was written.*exit 7", said, re.DOTALL)
    assert not list(tmp_path.iterdir())
