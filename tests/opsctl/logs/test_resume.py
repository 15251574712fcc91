import os
from pathlib import Path

import pytest

from opsctl.errors import ConfigError
from opsctl.logs import resume
from opsctl.logs.follower import Bookmark


def test_a_bookmark_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    assert resume.read(path) == {}
    kept = {"app": Bookmark(7, {3: ["a", "b"]}), "ecs": Bookmark(8, {})}
    resume.write(path, kept)
    assert resume.read(path) == kept
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["pipe", "/dev/null", "/dev/zero"])
def test_what_is_not_a_file_is_refused_and_no_command_removes_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not a file") as caught:
        resume.read(path)
    assert caught.value.hint == "choose another file after --resume"


def _floor(text: str) -> str:
    return f'{{"v": 1, "sources": {{"app": {{"floor": {text}, "ids": {{}}}}}}}}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"v": 2}', '{"v": 1, "sources": {"app": 1}}'),
        *map(_floor, ("1e400", "-1", "1e30", "NaN", '"x"')),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mark"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not a bookmark"):
        resume.read(path)
