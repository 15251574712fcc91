"""States, reasons and next commands, as somebody on call reads them."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from opsctl.alarms import watched
from opsctl.alarms.backtest import Played, Rang
from opsctl.cli.screens.alarms import show_one, show_played, show_states
from opsctl.cli.screens.console import Console
from opsctl.metrics.series import Series, Window
from opsctl.snapshot.alarms import AlarmChange
from opsctl.snapshot.mute_rules import MuteRule
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot, Unread
from tests.opsctl.alarms.live import CONFIG, of, seen
from tests.opsctl.snapshots import START

NOW = START + timedelta(minutes=7)


def test_what_rings_comes_first_with_its_reason_and_the_next_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = watched.watched(seen(state="ALARM"), CONFIG)
    show_states(Console(), found, {"web-running-tasks": "3 of 3 points < 2 (1, 1, 1)"}, NOW)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "✗ running-tasks  ALARM  for 7m  fewer than 2 tasks have run for ten minutes",
        "    3 of 3 points < 2 (1, 1, 1)",
        "    → opsctl why",
    ]
    assert len(lines) == len(found) + 2
    assert all(len(line) <= 80 for line in lines)


def test_alarms_that_take_no_action_say_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = seen()
    silent = replace(now, alarms=tuple(replace(one, actions=False) for one in now.alarms))
    show_states(Console(), watched.watched(silent, CONFIG), {}, NOW)
    caught = capsys.readouterr()
    assert caught.err.startswith("no alarm takes an action")
    assert "takes no action" not in caught.out


def test_one_alarm_is_explained_with_its_points_its_history_and_the_release_before_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = of(seen(state="ALARM", reason="Threshold Crossed"), "running-tasks")
    assert one.query is not None
    series = Series(one.query, Window(START - timedelta(minutes=2), START, 60), [1.0, None])
    change = AlarmChange(one.name, START, "OK", "ALARM", "Threshold Crossed")
    release = Release(7, START - timedelta(minutes=12), who="arn:aws:iam::1:user/ann")
    show_one(Console(), one, series, [change], replace(seen(), releases=(release,)))
    assert capsys.readouterr().out.splitlines() == [
        "web-running-tasks: ALARM since 2026-11-26 12:00:00Z",
        "  tells       fewer than 2 tasks have run for ten minutes",
        "  rings when  SampleCount of CPUUtilization < 2 for 10m, by periods of 1m",
        "  gaps        a period without data counts as bad: no sample means that no task runs",
        "  now         1 of 1 points < 2 (1); 1 of the last 2 had no data, which counts as bad",
        "  CloudWatch  Threshold Crossed",
        "  release     7 by ann began 11:48:00Z",
        "  history     11-26 12:00Z  OK → ALARM",
        "  next        opsctl why",
    ]


def test_a_release_long_before_an_alarm_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    one = of(seen(state="ALARM"), "running-tasks")
    old = Release(6, START - timedelta(hours=2))
    show_one(Console(json=True), one, None, [], replace(seen(), releases=(old,)))
    [shown] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (shown["release"], shown["state"], shown["next"]) == (None, "ALARM", "opsctl why")


def test_what_is_muted_says_until_when_and_by_which_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = with_rules(
        MuteRule("web-roll-1", ("web-running-tasks",), NOW + timedelta(minutes=5)),
        MuteRule("web-roll-2", ("web-running-tasks",), NOW + timedelta(minutes=10)),
        state="ALARM",
    )
    found = watched.watched(now, CONFIG)
    show_states(Console(), found, {}, NOW)
    assert capsys.readouterr().out.splitlines()[1] == (
        "    muted until 12:17Z by `web-roll-2`: it takes no action now"
    )
    show_one(
        Console(), found[[one.name for one in found].index("web-running-tasks")], None, [], now
    )
    row = "  muted       until 12:17Z by `web-roll-2`: it takes no action now"
    assert row in capsys.readouterr().out.splitlines()
    show_states(Console(json=True), found, {}, NOW)
    shown = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    muted = shown["web-running-tasks"]
    assert (muted["muted_by"], muted["muted_until"][:16]) == (
        ["web-roll-2", "web-roll-1"], "2026-11-26T12:17",
    )  # fmt: skip
    quiet = shown["web-service-cpu"]
    assert (quiet["muted_by"], quiet["muted_until"]) == ([], None)


def test_a_rule_that_comes_again_and_again_says_its_schedule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = with_rules(MuteRule("nightly", ("web-running-tasks",), None, "cron(0 2 * * *) for PT4H"))
    show_states(Console(), [of(now, "running-tasks")], {}, NOW)
    assert capsys.readouterr().out.splitlines()[1] == (
        "    muted by `nightly` (cron(0 2 * * *) for PT4H): it takes no action now"
    )


def test_rules_that_may_not_be_read_are_not_known_and_no_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unread = Unread("mute_rules", "AWS refused ListAlarmMuteRules", code="AccessDenied")
    now = replace(with_rules(), unread=(unread,))
    one = of(now, "running-tasks")
    show_states(Console(), [one], {}, NOW)
    caught = capsys.readouterr()
    assert "mute" not in caught.out + caught.err
    show_states(Console(json=True), [one], {}, NOW)
    assert json.loads(capsys.readouterr().out)["muted_by"] is None
    show_one(Console(), one, None, [], now)
    row = "  muted       not known: AWS refused ListAlarmMuteRules"
    assert row in capsys.readouterr().out.splitlines()


def with_rules(*rules: MuteRule, **live: Any) -> Snapshot:
    return replace(seen(**live), look=watched.LOOK_AT_MUTES, mute_rules=rules)


def test_a_back_test_is_a_row_an_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    rang = (
        Rang(START, START + timedelta(minutes=6)),
        Rang(START + timedelta(hours=1), None),
    )
    until = START + timedelta(hours=2)
    played = [
        Played(of(seen(), "running-tasks"), rang, 100, 120, until),
        Played(of(seen(), "service-cpu"), (), 120, 120, until),
    ]
    show_played(Console(), played, timedelta(hours=2))
    caught = capsys.readouterr()
    assert caught.out.splitlines() == [
        "ALARM          RANG  LONGEST  IN ALL  POINTS      LAST",
        "running-tasks  2x    1h       1h6m    100 of 120  since 11-26 13:00Z",
        "service-cpu    -                      120 of 120",
    ]
    assert caught.err == "in 2h 1 of 2 alarms would have gone off, 2 times in all\n"


def test_what_cloudwatch_did_not_return_is_not_called_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    until = START + timedelta(hours=2)
    played = [
        Played(of(seen(), "service-cpu"), (), 0, 120, until, "InternalError", failed=True),
        Played(of(seen(), "cache-cpu"), (), 60, 120, until, "PartialData"),
    ]
    show_played(Console(), played, timedelta(hours=2))
    caught = capsys.readouterr()
    assert [line.split("  ")[0] for line in caught.out.splitlines()[1:]] == [
        "service-cpu",
        "cache-cpu",
    ]
    assert "?" in caught.out and "60 of 120, PartialData" in caught.out
    assert "did not return the points of 1 alarm" in caught.err
