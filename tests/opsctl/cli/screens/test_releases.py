"""The history, one release, a difference and a rollback, as people and programs read them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsctl.cli.screens import releases
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.releases import ReleasesScreen, show_history, show_release, when
from opsctl.releases.difference import Changed, Difference
from opsctl.releases.history import ReleaseHistory
from opsctl.releases.target import Target
from opsctl.snapshot.releases import Release

AT = datetime(2026, 11, 26, 14, 10, tzinfo=UTC)
GOOD = Release(
    41,
    AT - timedelta(days=3),
    who="arn:aws:sts::1:assumed-role/ops/ci",
    image="web@sha256:" + "7" * 64,
    commit="77ab01c0000",
    outcome="deployed",
    changed=("image", "1 secret"),
    ended=AT - timedelta(days=3) + timedelta(seconds=185),
    token="canary-token",
    secrets={"ssm:/token": "7"},
)
BACK = Release(
    43, AT, who="ann", image=GOOD.image, back_to=41, outcome="rolled-back", ended=AT, reason="why"
)
OPEN = Release(44, AT, who="ann", image="web@sha256:" + "9" * 64, commit="c44", dirty=True)
HISTORY = ReleaseHistory(AT, (OPEN, BACK, GOOD), GOOD, "6 of 8 tasks run")


def test_one_row_a_release_with_the_one_that_runs_marked(capsys: Any) -> None:
    show_history(Console(), HISTORY)
    out, err = capsys.readouterr()
    rows = [line.split(None, 1)[0] for line in out.splitlines()]
    assert rows == ["N", "44", "43", "41"]
    header, rolling, back, good = out.splitlines()
    assert "◐ rolling" in rolling and "c44+" in rolling
    assert "41's" in back and "rolled back" in back and "back to 41" in back
    assert "● running" in good and "3m5s" in good and "image, 1 secret" in good and " ci " in good
    assert "what is live differs: 6 of 8 tasks run" in err


def test_the_same_as_objects_without_private_fields(capsys: Any) -> None:
    show_history(Console(json=True), HISTORY)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["number"] for one in lines] == [44, 43, 41]
    assert [one["live"] for one in lines] == [False, False, True]
    assert lines[2]["seconds"] == 185.0 and lines[2]["secrets"] == {"ssm:/token": "7"}
    assert "canary-token" not in json.dumps(lines)


def test_all_of_one(capsys: Any) -> None:
    show_release(Console(), ReleaseHistory(AT, (GOOD,), GOOD))
    out = capsys.readouterr().out
    for words in ("41 ● running", "deployed, took 3m5s", "77ab01c0000", "ssm:/token  version 7"):
        assert words in out


def test_an_empty_ledger_names_the_first_step(capsys: Any) -> None:
    show_history(Console(options=("--env", "staging")), ReleaseHistory(AT, ()))
    assert "opsctl --env staging update-tasks" in capsys.readouterr().err


def test_a_difference_is_data_for_diff_and_talk_before_a_roll(capsys: Any) -> None:
    found = Difference(
        "release 41",
        "this directory",
        (Changed("Caddyfile", "changed", ("-  a", "+  b")), Changed("secrets", "x: 7 -> 8")),
    )
    ReleasesScreen(Console(), data=True).show(found)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "release 41 -> this directory" and "+  b" in out
    ReleasesScreen(Console()).show(found)
    assert capsys.readouterr().out == ""


def test_nothing_changed_is_said_in_the_words_of_update_tasks(capsys: Any) -> None:
    ReleasesScreen(Console(), data=True).show(Difference("what runs", "this directory"))
    assert capsys.readouterr().out.strip() == releases.SAME


def test_a_rollback_says_what_it_does_not_take_back(capsys: Any) -> None:
    stays = (Changed("secrets", "ssm:/token: version 7 -> version 8"),)
    ReleasesScreen(Console()).show(Target(GOOD, OPEN, stays))
    err = capsys.readouterr().err
    assert "back to release 41 (release 44 runs)" in err
    assert "not reverted" in err and "version 7 -> version 8" in err


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(minutes=4), "14:06 today"),
        (timedelta(days=3), "Mon 14:10"),
        (timedelta(days=40), "17 Oct 14:10"),
    ],
)
def test_times_are_rounded_as_people_say_them(ago: timedelta, words: str) -> None:
    assert when(AT - ago, AT) == words
