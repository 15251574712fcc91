import json
import re
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any

import pexpect
import pytest

from tests.opsctl.cli.conftest import System

TASK = "0f3a91bc11d24d0f9a53aa77cc2211ee"


def put(system: System, source: str, stream: str, *messages: tuple[float, str]) -> None:
    """Messages, each so many seconds old."""
    logs, group = system.client("logs"), f"/{system.name}/{source}"
    for make, names in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            make(**names)
    now = time.time()
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[
            {"timestamp": int((now - age) * 1000), "message": text} for age, text in messages
        ],
    )
    logs.close()


@pytest.fixture
def logging(system: System) -> System:
    put(
        system, "app", "web-20261123T210000Z-3f2a91bc",
        (50, json.dumps({"level": "error", "message": "refresh failed", "status": 502})),
        (20, json.dumps({"level": "warning", "message": "redis is away", "commands": 12})),
    )  # fmt: skip
    put(
        system, "stdout", f"web/web/{TASK}",
        (40, "INFO started on :8082"),
        (30, 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no'),
    )  # fmt: skip
    put(system, "ecs", "i-0abc12345def", (45, "[ERROR] agent \x1b[31mgone"))
    put(system, "agent", "web/i-0abc12345def", (44, 'level=info time=x msg="ok"'))
    return system


def without_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "TIME", text)


def test_the_four_sources_come_in_order_of_time_each_in_its_layout(logging: System) -> None:
    done = logging.run("logs", "tail", "--no-follow")
    assert (done.returncode, done.stderr) == (0, "")
    assert without_times(done.stdout) == (
        "TIMEZ app    3f2a91bc   ERROR    refresh failed status=502\n"
        "TIMEZ ecs    i-0abc1234 ERROR    [ERROR] agent �[31mgone\n"
        "TIMEZ agent  i-0abc1234 INFO     ok\n"
        "TIMEZ stdout 0f3a91bc   INFO     INFO started on :8082\n"
        "TIMEZ stdout 0f3a91bc            Traceback (most recent call last):\n"
        '      File "x.py", line 1\n'
        "    ValueError: no\n"
        "TIMEZ app    3f2a91bc   WARNING  redis is away commands=12\n"
    )


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["app", "--level", "error"], ["refresh failed status=502"]),
        (["app", "stdout", "--grep", "redis|:8082"], ["INFO started on :8082", "redis is away c"]),
        (["app", "--exclude", "redis"], ["refresh failed status=502"]),
        (["--task", "3f2a91bc"], ["refresh failed status=502", "redis is away commands=12"]),
        (["--instance", "i-0abc12345def"], ["[ERROR] agent", "ok"]),
        (["--stream", "/^web/i-/"], ["ok"]),
        (["app", "--since", "35s"], ["redis is away"]),
        (["app", "--until", "35s"], ["refresh failed"]),
        (["--lines", "1"], ["redis is away"]),
    ],
)
def test_options_choose_lines(logging: System, options: list[str], messages: list[str]) -> None:
    done = logging.run("logs", "tail", "--no-follow", "--fields", "message", *options)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == len(messages), done.stdout
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith(message)


def test_json_is_an_object_a_line_with_the_parsed_fields(logging: System) -> None:
    done = logging.run("--json", "logs", "tail", "app", "--no-follow")
    first: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    assert (first["v"], first["type"], first["source"], first["level"]) == (
        2,
        "log",
        "app",
        "error",
    )
    assert first["group"] == f"/{logging.name}/app"
    assert first["fields"]["status"] == 502
    assert first["id"] == "3f2a91bc"


def test_a_missing_group_says_which_there_are(logging: System) -> None:
    logs = logging.client("logs")
    logs.delete_log_group(logGroupName=f"/{logging.name}/agent")
    logs.close()
    done = logging.run("logs", "tail", "agent", "--no-follow")
    assert done.returncode == 1
    assert f"there is no log group /{logging.name}/agent" in done.stderr
    (there,) = [line for line in done.stderr.splitlines() if "log groups that exist: " in line]
    assert f"/{logging.name}/" in there  # others' names may be nearer
    assert "hint: opsctl logs sources" in done.stderr


def test_a_missing_stream_says_which_there_are(logging: System) -> None:
    done = logging.run("logs", "tail", "stdout", "--no-follow", "--task", "ffff")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"newest: web/web/{TASK}" in done.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["sdtout"], "hint: opsctl logs tail stdout"),
        (["--grep", "("], "is not a regular expression"),
        (["--level", "loud"], "unknown level `loud`"),
        (["--since", "soon"], "is not a point in time"),
        (["--fields", "tiem"], "unknown field `tiem`"),
        (["--until", "5m", "--follow"], "leave one out"),
    ],
)
def test_what_cannot_be_meant_is_refused(system: System, options: list[str], text: str) -> None:
    done = system.run("logs", "tail", *options)
    assert done.returncode == 2
    assert text in done.stderr


def test_ctrl_c_prints_what_is_held_back_and_a_summary(logging: System) -> None:
    process = subprocess.Popen(
        logging.command("logs", "tail", "--follow", "--fields", "message"),
        cwd=logging.folder, env=logging.variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    put(logging, "app", "web-1", (0, "just now"))
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (first + out).splitlines()[0] == "refresh failed status=502"
    assert (first + out).splitlines()[-1] == "just now"
    assert re.search(r"^7 lines, 0 late, 0 of \d+ calls throttled, \d+ s behind$", err, re.M)


def test_on_a_terminal_it_follows_in_colour(logging: System) -> None:
    python, *arguments = logging.command("logs", "tail", "app")
    child = pexpect.spawn(
        python, arguments, cwd=str(logging.folder), env=logging.variables, timeout=30,
        dimensions=(24, 200), encoding="utf-8",
    )  # fmt: skip
    child.expect("following app since 10m")
    child.expect("\x1b\\[[0-9;]+m3f2a91bc ")
    child.expect("refresh failed")
    child.sendintr()
    child.expect("2 lines, 0 late")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_a_closed_pipe_ends_quietly(logging: System) -> None:
    command = " ".join(logging.command("logs", "tail", "--no-follow"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 1 >/dev/null"],
        cwd=logging.folder, env=logging.variables, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reading_goes_on_where_it_stopped(logging: System) -> None:
    options = ("logs", "tail", "app", "--no-follow", "--fields", "message", "--resume", "mark")
    assert len(logging.run(*options).stdout.splitlines()) == 2
    assert logging.run(*options).stdout == ""
    put(logging, "app", "web-1", (60, "delivered late"))
    assert logging.run(*options).stdout == "delivered late\n"
    (logging.folder / "mark").write_text("{}", encoding="utf-8")
    broken = logging.run(*options)
    assert (broken.returncode, "rm mark" in broken.stderr) == (2, True)


def test_sources_are_listed_with_their_newest_stream(logging: System) -> None:
    done = logging.run("logs", "sources")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["SOURCE", "app", "stdout", "ecs", "agent"]
    assert f"web/web/{TASK}" in lines[2]
    objects = [
        json.loads(line)
        for line in logging.run("--json", "logs", "sources").stdout.split("\n")[:-1]
    ]
    assert [found["exists"] for found in objects] == [True] * 4


def test_no_source_exists_before_the_stack(system: System) -> None:
    done = system.run("--json", "logs", "sources")
    assert [json.loads(line)["exists"] for line in done.stdout.splitlines()] == [False] * 4


def test_a_query_an_audit_and_the_lags_are_read_from_the_same_sources(logging: System) -> None:
    asked = logging.run("logs", "query", "fields @timestamp, @message | limit 9", "--json")
    assert asked.returncode == 0, asked.stderr
    *rows, query = map(json.loads, asked.stdout.splitlines())
    assert (len(rows), query["type"], query["rows"]) == (6, "query", 6)
    refused = logging.run("logs", "query", "stats | by")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: CloudWatch does not take this query: unexpected")
    late = logging.run("--json", "logs", "lag", "stdout")
    [lag] = map(json.loads, late.stdout.splitlines())
    assert (lag["id"], lag["lines"]) == (TASK[:8], 2)
    audit = logging.run("logs", "audit", "--since", "10m")
    assert "every line that CloudWatch received can be read" in audit.stderr
    none = logging.run("logs", "compare")
    assert none.returncode == 1 and "opsctl update-tasks" in none.stderr
    typo = logging.run("logs", "audit", "ap")
    assert typo.returncode == 2 and "unknown log source `ap`" in typo.stderr
