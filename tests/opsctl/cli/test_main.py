"""The command line as a whole: help, version, global options, usage errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl.cli import COMMANDS, main
from opsctl.cli.options import Invocation
from opsctl.errors import ConfigError
from tests.end_to_end.place import ROOT
from tests.opsctl.cli.conftest import System


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument: str) -> None:
    heavy = ("boto3", "botocore", "docker", "rich", "typer", "pydantic", "jinja2", "yaml")
    script = (
        "import sys; from opsctl.cli import main; main(sys.argv[1:]);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, argument], capture_output=True, text=True, timeout=30
    )

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_closed_stream_is_replaced_by_dev_null(closed: str, tmp_path: Path) -> None:
    line = f'"$0" -m opsctl init web {closed} && "$0" -m opsctl --config web/opsctl.yaml render db'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if closed != "2>/dev/full":
        assert done.returncode == 0 and done.stdout.startswith("AWSTemplateFormatVersion")
        # Nothing that was printed landed in a file that took the place of a closed stream.
        assert all("wrote" not in one.read_text() for one in tmp_path.glob("web/*.*"))


def test_an_unknown_command_is_refused_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["metrcs"]) == 2

    assert capsys.readouterr().err == (
        "error: there is no command `metrcs`\nhint: opsctl metrics\n"
    )


@pytest.mark.parametrize(
    ("line", "said", "code"),
    [
        ("db up --nonsense", "error: no such option: --nonsense\nhint: opsctl db up --help\n", 2),
        ("db plan --nonsense", "hint: opsctl db plan --help", 64),
        ("sandbox up --speed x", "error: invalid value for '--speed'", 2),
        ("--nonsense", "error: there is no option `--nonsense`\nhint: opsctl --help\n", 2),
    ],
)
def test_an_unknown_option_is_refused_like_other_usage_errors(
    line: str, said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", *line.split()]) == code

    told = capsys.readouterr()
    assert said in told.err
    assert json.loads(told.out)["exit_code"] == code


@pytest.mark.parametrize("line", ["--help", "--version", "rehearse", "config schema", "db --help"])
def test_a_closed_pipe_is_no_error(line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "opsctl", *line.split()],
        stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "both"),
    [("db plan", False), ("db plan", True), ("db up", False), ("logs audit x", True)],
)
def test_a_plan_or_an_error_that_nobody_reads_is_not_called_done(
    system: System, line: str, both: bool
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        system.command(*line.split()), cwd=system.folder, env=system.variables, text=True,
        stdout=writing, stderr=subprocess.STDOUT if both else subprocess.PIPE, timeout=60,
    )  # fmt: skip
    os.close(writing)

    assert done.returncode != 0, line
    assert both or "Traceback" not in done.stderr


def test_a_change_goes_on_to_its_end_when_its_reader_has_gone(system: System) -> None:
    command = f"{' '.join(system.command('--json', 'db', 'up', '--yes'))} 2>&1"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"],
        cwd=system.folder, env=system.variables, text=True, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    [stack] = system.client("cloudformation").describe_stacks(StackName=f"{system.name}-db")[
        "Stacks"
    ]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_the_short_word_for_help_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_no_command_prints_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    assert "Commands:" in capsys.readouterr().out


def test_global_options_may_stand_anywhere() -> None:
    invocation, rest = Invocation.parse(
        ["db", "--env", "prod", "up", "--json", "--config=x.yaml", "--yes"], {}
    )

    assert rest == ["db", "up", "--yes"]
    assert (invocation.environment, invocation.path) == ("prod", Path("x.yaml"))
    assert invocation.console.json


def test_values_can_be_set_for_one_run() -> None:
    invocation, rest = Invocation.parse(["db", "--set", "db.port=1", "up", "--set=name=x"], {})

    assert (invocation.overrides, rest) == (("db.port=1", "name=x"), ["db", "up"])


@pytest.mark.parametrize(
    ("override", "repeated"),
    [
        ("db.port=1", True),
        ("secrets.file=.secrets.yml", True),
        ("secrets.values.token=ssm:/web/token", True),
        ("secrets.values.token=canary", False),
        ("secrets={values: {token: canary}}", False),
        ("environments.staging.ecs.secrets.API=canary", False),
        ("db.password=canary", False),
        ("ecs.environment.API_TOKEN=canary", False),
        ("ecs.environment={API_TOKEN: canary}", False),
    ],
)
def test_a_secret_given_by_mistake_is_in_no_hint(override: str, repeated: bool) -> None:
    invocation, _ = Invocation.parse(["db", "--set", override, "up"], {})
    assert (override.partition("=")[2] in invocation.line) is repeated


def test_what_follows_two_dashes_is_left_alone() -> None:
    _, rest = Invocation.parse(["logs", "--", "--json"], {})

    assert rest == ["logs", "--", "--json"]


def test_the_environment_gives_config_and_overlay() -> None:
    invocation, _ = Invocation.parse(["db"], {"OPSCTL_ENV": "prod", "OPSCTL_CONFIG": "p.yaml"})

    assert (invocation.environment, invocation.path) == ("prod", Path("p.yaml"))


def test_an_option_without_its_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="`--env` needs a value"):
        Invocation.parse(["db", "--env"], {})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0

    assert f"Usage: opsctl {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("import os; os.rmdir(os.getcwd())", "the current directory does not exist any more"),
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (3, 3))", "too many files are open"),
    ],
)
def test_odd_surroundings_are_one_sentence(before: str, said: str, tmp_path: Path) -> None:
    script = f"import sys; from opsctl.cli import main; {before}; sys.exit(main(['status']))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip

    assert done.returncode == 1 and done.stderr.startswith(f"error: {said}\nhint: "), done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["sandbox", "--help"]])
def test_a_full_disk_is_one_sentence(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "opsctl", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("error: nothing more can be written: No space left on device")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_ctrl_c_while_modules_are_imported_is_no_traceback() -> None:
    interrupted = (
        "import sys, opsctl.__main__ as process\n"
        "class Finder:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'opsctl.cli': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "process.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
