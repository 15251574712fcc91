"""Every rehearsal ends as its file says: the exit code, what is read, and the JSON."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from opsctl_sandbox.errors import UsageError
from opsctl_sandbox.rehearsals import rehearsal
from tests.opsctl_sandbox.rehearsals.why import Played, play

DOCUMENTED = re.findall(
    r"^\| `(\w+)` \|", (Path(__file__).parents[3] / "docs" / "json.md").read_text(), re.MULTILINE
)


Play = Callable[[str], Played]


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Play]:
    """Those that were selected, each once, two at a time: most of a rehearsal is waiting."""
    selected = dict.fromkeys(
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname in (END, WHY)
    )
    make = tmp_path_factory.mktemp
    with ThreadPoolExecutor(2) as pool:
        playing: dict[str, Future[Played]] = {
            name: pool.submit(play, rehearsal.load(name), make(name), make(f"{name}-elsewhere"))
            for name in selected
        }
        yield lambda name: playing[name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", [one.name for one in rehearsal.every()])
def test_the_real_command_ends_as_the_file_says(played: Play, name: str) -> None:
    *before, result = played(name).events
    screen = "\n".join(event.text for event in before if event.kind == "screen")

    assert not result.otherwise, f"{result.otherwise}\n{screen}"
    assert all(each["v"] == 2 and each["type"] in DOCUMENTED for each in result.data)
    if result.exit_code:
        assert "error: " in screen and "hint: " in screen, screen
        assert "deployed: " not in screen


@pytest.mark.parametrize("name", [one.name for one in rehearsal.every()])
def test_why_puts_its_cause_first_now_and_from_what_was_kept(played: Play, name: str) -> None:
    cause, seen = rehearsal.load(name).cause, played(name)
    assert {"after", "recording", "bundle"} <= set(seen.causes)
    expected = [] if cause == "none" else [cause]
    for moment, causes in seen.causes.items():
        assert causes[:1] == expected, f"{moment}: {causes}\n{seen.screens.get(moment)}"


END = test_the_real_command_ends_as_the_file_says.__name__
WHY = test_why_puts_its_cause_first_now_and_from_what_was_kept.__name__


def test_an_unknown_rehearsal_says_how_to_list_them() -> None:
    with pytest.raises(UsageError) as caught:
        rehearsal.load("../secret")
    assert caught.value.hint == "opsctl rehearse"


@pytest.mark.parametrize("text", ["screens: []\n", "meanwhile: [{wen: now}]\n"])
def test_a_key_that_means_nothing_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"tells: nothing\ncommand: []\nexit_code: 0\n{text}")
    with pytest.raises(UsageError, match=r"mine.yaml: unknown key (screens|wen)"):
        rehearsal.read(file)


def test_every_rehearsal_has_a_cause_and_a_sentence() -> None:
    assert all(one.cause and one.tells for one in rehearsal.every())


def test_each_difference_from_the_file_is_one_sentence() -> None:
    chosen = rehearsal.load("image-not-pushed")
    error = {"v": 1, "type": "error", "error": "DockerError", "exit_code": 1}

    assert rehearsal.compare(chosen, 1, "`rehearsal` holds no image", [error]) == []
    assert rehearsal.compare(chosen, 1, "`rehearsal` holds no image", None) == []
    assert rehearsal.compare(chosen, 0, "deployed\nTraceback", []) == [
        "the exit code is 0 and not 1",
        "the screen does not show `holds no image`",
        "there is a traceback",
        "no JSON object has {'type': 'error', 'error': 'DockerError', 'exit_code': 1}",
    ]
    assert rehearsal.compare(chosen, 1, "holds no image", [error, {**error, "exit_code": 3}]) == [
        "the JSON has exit codes [1, 3], but the command ended with 1"
    ]
