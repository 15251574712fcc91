"""Every rehearsal ends as its file says: the exit code, and what the operator reads."""

import os
from pathlib import Path

import pytest

from opsctl.errors import ConfigError
from opsctl.sandbox import rehearsal


@pytest.mark.parametrize("name", [one.name for one in rehearsal.every()])
def test_the_real_command_says_what_went_wrong(tmp_path: Path, name: str) -> None:
    chosen = rehearsal.load(name)
    events = list(rehearsal.run(chosen, tmp_path, os.environ))
    screen = "\n".join(event.text for event in events if event.kind == "screen")

    assert events[-1].exit_code == chosen.exit_code, screen
    for words in chosen.screen:
        assert words in screen
    assert "Traceback" not in screen


def test_an_unknown_rehearsal_says_how_to_list_them() -> None:
    with pytest.raises(ConfigError) as caught:
        rehearsal.load("../secret")
    assert caught.value.hint == "opsctl rehearse"


def test_every_rehearsal_names_a_cause_and_tells_it_in_words() -> None:
    assert all(one.cause and one.tells for one in rehearsal.every())
