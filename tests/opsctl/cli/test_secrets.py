"""`opsctl secrets` as a process: on a pipe and on a terminal; the value is nowhere to be seen."""

import json
import re
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.opsctl.cli.conftest import System

VALUE = "canary-5e1f-value"


@pytest.fixture
def holder(system: System) -> System:
    config = system.folder / "opsctl.yaml"
    name = system.name
    config.write_text(
        config.read_text()
        + f"secrets: {{values: {{token: 'ssm:/{name}/token'}}}}\n"
        + f"ecs: {{secrets: {{API: 'secretsmanager:{name}#api'}}}}\n"
    )
    return system


def sent(system: System, *words: str, value: bytes = VALUE.encode()) -> tuple[int, str]:
    done = subprocess.run(
        system.command(*words),
        cwd=system.folder, env=system.variables, input=value, capture_output=True, timeout=60,
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode()
    assert VALUE not in said and "Traceback" not in said
    return done.returncode, said


def test_what_is_missing_is_said_set_and_found(holder: System) -> None:
    done = holder.run("secrets", "check", "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["state"] for one in objects if one["type"] == "secret"] == ["wrong", "wrong"]
    assert done.returncode == 1 and "hint: opsctl secrets set token" in done.stderr

    assert sent(holder, "secrets", "set", "token", "--debug", value=f"{VALUE}\n".encode())[0] == 0
    assert sent(holder, "secrets", "set", "API", "--debug")[0] == 0
    done = holder.run("secrets", "check")
    assert (done.returncode, done.stdout.count("ok  ")) == (0, 2), done.stderr

    ssm = holder.client("ssm").get_parameter(Name=f"/{holder.name}/token", WithDecryption=True)
    assert (ssm["Parameter"]["Value"], ssm["Parameter"]["Type"]) == (VALUE, "SecureString")
    secret = holder.client("secretsmanager").get_secret_value(SecretId=holder.name)
    assert json.loads(secret["SecretString"]) == {"api": VALUE}


def test_a_pipe_replaces_only_with_yes(holder: System) -> None:
    assert sent(holder, "secrets", "set", "token")[0] == 0
    code, said = sent(holder, "secrets", "set", "token")
    assert code == 2 and "hint: add --yes when you are sure" in said
    code, said = sent(holder, "secrets", "set", "token", "--yes")
    assert code == 0 and "replaced" in said


@pytest.mark.parametrize(
    ("value", "said"), [(b"", "the value is empty"), (b"\xff\xfe", "not UTF-8")]
)
def test_a_value_that_cannot_be_one_is_refused(holder: System, value: bytes, said: str) -> None:
    code, told = sent(holder, "secrets", "set", "token", value=value)
    assert code == 2 and said in told


def test_a_value_is_no_argument_and_is_not_repeated(holder: System) -> None:
    code, said = sent(holder, "secrets", "set", "token", VALUE)
    assert code == 2 and "a secret is never an argument" in said


def test_the_list_asks_nobody(holder: System) -> None:
    holder.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    done = holder.run("secrets", "list")
    assert done.returncode == 0
    assert f"secrets.values.token  ssm:/{holder.name}/token" in done.stdout


def test_a_secret_that_cannot_be_looked_at_is_not_called_fine(holder: System) -> None:
    holder.fault(*({"kind": "denied", "operation": f"{of}:*"} for of in ("ssm", "secretsmanager")))
    done = holder.run("secrets", "check")
    holder.fault()
    assert done.returncode == 11, done.stdout
    assert "2 of 2 secrets could not be looked at" in done.stderr


def typed(system: System, *answers: str) -> str:
    child = pexpect.spawn(
        system.command()[0], [*system.command()[1:], "secrets", "set", "token"],
        cwd=str(system.folder), env={**system.variables, "TERM": "dumb"}, encoding="utf-8",
        timeout=30,
    )  # fmt: skip
    said = ""
    for answer in answers:
        child.expect_exact(": ")
        said += (child.before or "") + ": "
        child.waitnoecho()
        # Neither a core dump nor another process of the user shows what is typed.
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits), limits
        child.send(answer)
    child.expect(pexpect.EOF)
    child.close()
    said += f"{child.before}exit {child.exitstatus}"
    assert VALUE not in said
    return said


def test_a_terminal_types_it_twice_without_an_echo(holder: System) -> None:
    said = typed(holder, f"{VALUE}\r", f"{VALUE}\r")
    assert f"stored `ssm:/{holder.name}/token`" in said and said.endswith("exit 0")


def test_a_value_that_the_terminal_cuts_off_is_not_written(holder: System) -> None:
    said = typed(holder, "x" * 5000 + "\r", "x" * 5000 + "\r")
    assert "a terminal passes on 4,095 bytes at most" in said and said.endswith("exit 2")
    assert "hint: opsctl secrets set token < FILE" in said


@pytest.mark.parametrize(
    ("answers", "end"),
    [((f"{VALUE}\r", "other\r"), "exit 2"), (("\x04",), "exit 7"), (("\x03",), "exit 130")],
)
def test_two_different_values_or_a_no_write_nothing(
    holder: System, answers: tuple[str, ...], end: str
) -> None:
    assert typed(holder, *answers).endswith(end)
    assert holder.run("secrets", "check").returncode == 1
