"""Hostile lines, servers, terminals and readers: `logs tail` as a process, on real HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.opsctl.logs.log_server import LogServer, serving

ROOT = Path(__file__).parents[3]
GROUP = "/web/app"
CONFIG = (
    "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
    "compute: {maximum: 4}\n"
)
LINES = [
    'ERROR plain and {"msg": "cut \ud83d"}',
    '{"msg": "cut \ud83d", "level": "error"}',
    '{"msg": "inf", "value": 1e999}',
    '{"msg": "esc \x1b[2J \u202e", "\x1b[31m": 1}',
    '{"a": ' * 900 + "1" + "}" * 900,
    "emoji 😀 → café \x00\x07\x9b31m\u2028",
    "x" * 1_000_000,
    "",
    "\n\n\r\n",
    '{"level": 50, "msg": "pino"}',
    "{}",
]


def event(number: int, message: str, *, stream: str = "s-1", age: float = 60) -> Any:
    moment = time.time() - age + number / 1000
    return moment, {
        "eventId": f"{number:056d}",
        "logStreamName": stream,
        "timestamp": int(moment * 1000),
        "ingestionTime": int(moment * 1000),
        "message": message,
    }


class Place:
    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.variables = kept | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(ROOT),
        }
        (folder / "opsctl.yaml").write_text(CONFIG, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "opsctl", *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder, env=self.variables | variables, capture_output=True, timeout=60,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@pytest.fixture
def logs() -> LogServer:
    streams = ("s-1", "evil\x1b[2J/\ud83d", "web/web/0f3a91bc11d24d0f9a53aa77cc2211ee")
    return LogServer(GROUP, [event(n, text, stream=streams[n % 3]) for n, text in enumerate(LINES)])


@pytest.fixture
def place(tmp_path: Path, logs: LogServer) -> Iterator[Place]:
    with serving(logs) as endpoint:
        yield Place(tmp_path, endpoint)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "latin-1"])
def test_json_stays_json_in_every_encoding(place: Place, encoding: str) -> None:
    done = place.run("--json", "logs", "tail", "app", "--no-follow", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    read = [json.loads(line) for line in done.stdout.decode(encoding).split("\n")[:-1]]
    assert [one["message"] for one in read] == LINES
    assert read[1]["level"] == read[9]["level"] == "error"
    assert read[2]["fields"] is None


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_lines_are_whole_and_move_no_cursor_in_every_encoding(place: Place, encoding: str) -> None:
    done = place.run(
        "logs", "tail", "app", "--no-follow", "--fields", "time,stream,id,level,message",
        PYTHONIOENCODING=encoding,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert len(re.findall(r"^\d{4}-\d\d-\d\d ", text, re.M)) == len(LINES)
    assert "x" * 1_000_000 in text


def test_a_bookmark_gets_past_every_line(place: Place) -> None:
    first = place.run("--json", "logs", "tail", "app", "--no-follow", "--resume", "mark")
    again = place.run("--json", "logs", "tail", "app", "--no-follow", "--resume", "mark")
    assert (first.returncode, len(first.stdout.splitlines())) == (0, len(LINES))
    assert (again.returncode, again.stdout) == (0, b"")


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"v": 1, "sources": []}', b"[]"])
def test_a_bookmark_that_is_none_is_refused(place: Place, content: bytes) -> None:
    (place.folder / "mark").write_bytes(content)
    done = place.run("logs", "tail", "app", "--no-follow", "--resume", "mark")
    assert done.returncode == 2
    assert b"is not a bookmark" in done.stderr and b"rm mark" in done.stderr


def test_a_bookmark_that_cannot_be_kept_is_a_sentence(place: Place) -> None:
    done = place.run("logs", "tail", "app", "--no-follow", "--resume", "no/such/folder")
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr and b"Traceback" not in done.stderr


class Portal(LogServer):
    """A proxy's page, with status 200, after so many answers of AWS."""

    after = 0

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        if self.calls >= self.after:
            self.calls += 1
            return 200, b"<html><body>Sign in to the network</body></html>"
        return super().answer(operation, asked)


def test_an_html_answer_of_a_proxy_is_an_error_at_once(tmp_path: Path) -> None:
    with serving(Portal(GROUP, [])) as endpoint:
        begun = time.monotonic()
        done = Place(tmp_path, endpoint).run("logs", "tail", "app", "--no-follow")
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert time.monotonic() - begun < 30


class Silent(LogServer):
    """Takes a call, and answers nothing until the test ends."""

    def __init__(self) -> None:
        super().__init__(GROUP, [])
        self.asked, self.over = threading.Event(), threading.Event()

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        if self.calls < 2:
            return super().answer(operation, asked)
        self.asked.set()
        self.over.wait(60)
        return 500, b"{}"


def test_ctrl_c_is_answered_at_once_while_aws_is_silent(tmp_path: Path) -> None:
    logs = Silent()
    with serving(logs) as endpoint:
        process = Place(tmp_path, endpoint).start("logs", "tail", "app", "--follow")
        assert logs.asked.wait(30)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        took = time.monotonic() - begun
        logs.over.set()
    assert process.returncode == 130
    assert b"lines, 0 late" in err
    assert took < 10  # and not the minute that AWS may be silent for


def test_a_reader_that_leaves_ends_the_follow_although_no_line_comes(place: Place) -> None:
    process = place.start("logs", "tail", "app", "--follow", "--since", "10m")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_local_time_of_another_season_finds_its_line(tmp_path: Path) -> None:
    # Half a year away the clocks of this zone are set differently.
    age = 180 * 86_400
    there = time.time() - age
    logs = LogServer(GROUP, [event(0, "half a year ago", age=age)])
    with serving(logs) as endpoint:
        place = Place(tmp_path, endpoint)
        zone = "CET-1CEST,M3.5.0,M10.5.0/3"
        script = (
            "import sys,time; time.tzset(); t=time.localtime(float(sys.argv[1]));"
            "print(time.strftime('%Y-%m-%dT%H:%M', t), time.strftime('%z', t))"
        )
        wall = subprocess.run(
            [sys.executable, "-c", script, str(there)],
            env={**place.variables, "TZ": zone}, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        after = subprocess.run(
            [sys.executable, "-c", script, str(there + 120)],
            env={**place.variables, "TZ": zone}, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        done = place.run(
            "logs", "tail", "app", "--no-follow", "--local",
            "--since", wall[0], "--until", after[0], TZ=zone,
        )  # fmt: skip
    assert done.returncode == 0
    assert b"half a year ago" in done.stdout
    assert f"{wall[1][:3]}:{wall[1][3:]}".encode() in done.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--since", "999999999999d"], b"is not a point in time"),
        (["--since", "1h", "--until", "2h"], b"is not after"),
        (["--since", "2099-01-01"], b"lies in the future"),
        (["--look-back", "999999999999d"], b"longer than any calendar"),
        (["--look-back", "0s"], b"no time at all"),
        (["--where", "status"], b"is not a condition"),
        (["--where", "status=>500"], b"is not a condition"),
        (["--with", "everything"], b"--with takes `events`"),
        (["--live"], b"without --follow there is nothing to push"),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Place, options: list[str], text: bytes) -> None:
    done = place.run("logs", "tail", "app", "--no-follow", *options)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr
