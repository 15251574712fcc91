import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.__main__ import main


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """`main` takes over the signals of its process, which here is that of the tests."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "Caddyfile"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_adapt_prints_the_shape_of_v1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["adapt", write(tmp_path, ":80 {\n redir / /x {\n if a is b\n }\n}\n")]) == 0
    assert json.loads(capfd.readouterr().out) == [
        {"keys": [":80"], "body": [["redir", "/", "/x", [["if", "a", "is", "b"]]]]}
    ]


def test_adapt_accepts_directives_that_do_not_exist(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapt", write(tmp_path, ":80\nfoo bar\n")]) == 0
    assert json.loads(capfd.readouterr().out)[0]["body"] == [["foo", "bar"]]


def test_check_of_a_good_file_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path, ":80 {\n redir / /health.txt\n}\n")]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["adapt", "check"])
def test_an_error_is_one_line_with_file_and_line(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, ":80 {\n\n redir / /x }\n}\n")
    assert main([command, path]) == 1
    out, error = capfd.readouterr()
    assert out == ""
    assert error == (
        f"{path}:3 - Error during parsing: Unexpected '}}' because no matching opening brace\n"
    )


def test_bytes_that_are_not_utf8_read_as_replacement_characters(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapt", write(tmp_path, b":80\nfoo \xe2\x82 \xff\n")]) == 0
    assert json.loads(capfd.readouterr().out)[0]["body"] == [["foo", "\ufffd\ufffd", "\ufffd"]]


@pytest.mark.parametrize("command", [["check"], ["run", "--config"]])
def test_a_file_without_a_site_is_refused(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "# nothing yet\n")
    assert main([*command, path]) == 1
    assert capfd.readouterr().err == f"{path}:1 - there is no site\n"


@pytest.mark.parametrize("name", ["", "missing", "nul\0"])
def test_a_file_that_cannot_be_read_is_an_error_not_a_traceback(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapt", str(tmp_path / name)]) == 1
    assert ":0 - cannot be read: " in capfd.readouterr().err
