"""Every rehearsal ends as its file says: the exit code, what is read, and the JSON."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from opsctl_sandbox.errors import UsageError
from opsctl_sandbox.rehearsals import rehearsal, why
from opsctl_sandbox.rehearsals.rehearsal import RehearsalEvent
from tests.warm import Warm

DOCUMENTED = re.findall(
    r"^\| `(\w+)` \|", (Path(__file__).parents[3] / "docs" / "json.md").read_text(), re.MULTILINE
)


Play = Callable[[str], list[RehearsalEvent]]


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Play]:
    """Those that were selected, each once, two at a time: most of a rehearsal is waiting."""
    selected = dict.fromkeys(
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == PLAYED
    )

    def play(name: str, folder: Path) -> list[RehearsalEvent]:
        one = rehearsal.load(name)
        return list(rehearsal.run(one, folder, os.environ, json=True, start=warm.popen))

    with Warm() as warm, ThreadPoolExecutor(2) as pool:
        playing: dict[str, Future[list[RehearsalEvent]]] = {
            name: pool.submit(play, name, tmp_path_factory.mktemp(name)) for name in selected
        }
        yield lambda name: playing[name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", [one.name for one in rehearsal.every()])
def test_the_real_command_ends_as_the_file_says_and_why_puts_its_cause_first(
    played: Play, name: str
) -> None:
    *before, result = played(name)
    screen = "\n".join(event.text for event in before if event.kind == "screen")

    assert not result.otherwise, f"{result.otherwise}\n{screen}"
    assert all(each["v"] == 2 and each["type"] in DOCUMENTED for each in result.data)
    assert {"after", "recording", "bundle"} <= {event.moment for event in before}
    if result.exit_code:
        assert "error: " in screen and "hint: " in screen, screen
        assert "deployed: " not in screen


PLAYED = test_the_real_command_ends_as_the_file_says_and_why_puts_its_cause_first.__name__


def test_an_unknown_rehearsal_says_how_to_list_them() -> None:
    with pytest.raises(UsageError) as caught:
        rehearsal.load("../secret")
    assert caught.value.hint == "opsctl rehearse"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("command: [db, up]\nscreens: []", "mine.yaml: unknown key screens"),
        ("command: [db, up]\nmeanwhile: [{wen: now}]", "mine.yaml: unknown key wen"),
        ("command: [db, up]\nfile: other.yaml", "mine.yaml: unknown key file"),
        ("command: [db, up]\nsetup: all", "`setup` is nothing, db, ecs, released, not `all`"),
        ("command: [db, up]\nfailures: [{kind: fire}]", "'fire' is not a kind of failure"),
        ("command: [db, up]\nfaults: [{kind: fire}]", "a fault's kind is one of"),
        ("tells: nothing", "needs a `command`"),
        ("- one", "needs a `command`"),
        ("command: [db, up", "mine.yaml: not YAML: while parsing"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str, wrong: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        rehearsal.load(str(file))
    assert wrong in caught.value.message


def test_a_file_from_anywhere_is_a_rehearsal_and_needs_no_more_than_a_command(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("command: [db, up, --yes]")

    mine = rehearsal.load(str(file))

    assert (mine.name, mine.file, mine.setup) == ("mine", file, "released")
    assert rehearsal.compare(mine, 3, "anything", None) == []
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="is not a file"):
        rehearsal.load(str(tmp_path / "pipe.yaml"))
    with pytest.raises(UsageError, match="No such file"):
        rehearsal.load(str(tmp_path / "gone.yaml"))


def test_every_rehearsal_has_a_cause_and_a_sentence() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explain.md").read_text()
    for one in rehearsal.every():
        assert one.tells and (one.cause == "none" or f"`{one.cause}`" in page), one.name


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


def test_trouble_that_is_over_in_the_end_is_no_cause() -> None:
    during = why.Answer("during", ["container-exited"], "it exited 1")
    passed = why.Answer("after", ["container-exited"], "it exited 1", ["container-exited"])
    lasting = why.Answer("after", ["container-exited"], "it exited 1")
    assert why.differences([during, passed], "none") == []
    assert len(why.differences([lasting], "none")) == 1
    assert why.differences([passed], "container-exited") == []
