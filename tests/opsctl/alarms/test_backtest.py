from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from opsctl.alarms import watched
from opsctl.alarms.backtest import backtest
from opsctl.errors import ConfigError
from tests.opsctl.alarms.live import CONFIG, seen
from tests.opsctl.snapshots import START

NOW = START + timedelta(hours=1)


class Kept:
    """CloudWatch with one value a minute for each metric, and the calls made of it."""

    def __init__(self, bad: range) -> None:
        self.bad, self.calls = bad, 0

    def get_metric_data(self, **request: Any) -> Any:
        self.calls += 1
        return {"MetricDataResults": [self._result(one, request) for one in self._queries(request)]}

    def _queries(self, request: Any) -> Any:
        return request["MetricDataQueries"]

    def _result(self, query: Any, request: Any) -> Any:
        start, length = request["StartTime"], request["EndTime"] - request["StartTime"]
        minutes = range(int(length.total_seconds()) // query["MetricStat"]["Period"])
        hosts = query["MetricStat"]["Metric"]["MetricName"] == "HealthyHostCount"
        values = [0.0 if hosts and minute in self.bad else 2.0 for minute in minutes]
        times = [start + timedelta(seconds=60 * minute) for minute in minutes]
        return {"Id": query["Id"], "Timestamps": times if hosts else [], "Values": values * hosts}


class Lines(Kept):
    """A log group with one line, at this minute."""

    def __init__(self, at: datetime) -> None:
        super().__init__(range(0))
        self.at = at

    def _result(self, query: Any, request: Any) -> Any:
        logs = query["MetricStat"]["Metric"]["MetricName"] == "IncomingLogEvents"
        return {"Id": query["Id"], "Timestamps": [self.at] * logs, "Values": [1.0] * logs}


def test_an_alarm_that_would_have_rung_says_when_and_for_how_long() -> None:
    kept = Kept(range(20, 30))
    alarms = watched.watched(seen(), CONFIG)
    played = backtest(cast(Any, kept), alarms, START, NOW)
    [hosts] = [one for one in played if one.watched.alarm.name == "healthy-hosts"]
    [rang] = hosts.rang
    assert rang.end is not None
    # Five bad minutes make it ring, one good minute ends it.
    assert (rang.start, rang.end) == (START + timedelta(minutes=25), START + timedelta(minutes=31))
    assert (hosts.longest, hosts.altogether) == (timedelta(minutes=6), timedelta(minutes=6))
    assert (hosts.points, hosts.expected) == (58, 58)
    assert kept.calls == 1  # for periods of every length


def test_a_period_of_five_minutes_may_begin_at_any_minute() -> None:
    """CloudWatch's window slides. It reads two periods more than the twelve that it needs."""
    begin = START + timedelta(minutes=2)
    played = backtest(
        cast(Any, Lines(begin + timedelta(minutes=9))),
        watched.watched(seen(), CONFIG),
        begin,
        begin + timedelta(hours=2),
    )
    [silent] = [one for one in played if one.watched.alarm.name == "agent-silent"]
    assert [one.start - begin for one in silent.rang] == [timedelta(minutes=9 + 1 + 14 * 5)]


def test_the_newest_minutes_which_may_still_change_are_not_played() -> None:
    played = backtest(cast(Any, Kept(range(0))), watched.watched(seen(), CONFIG), START, NOW)
    assert {one.until for one in played} == {NOW - timedelta(minutes=2)}


def test_more_than_cloudwatch_keeps_is_refused() -> None:
    with pytest.raises(ConfigError, match="15 days"):
        backtest(cast(Any, Kept(range(0))), [], NOW - timedelta(days=16), NOW)


def test_a_span_that_may_still_change_is_not_played() -> None:
    with pytest.raises(ConfigError, match="newest two minutes"):
        backtest(cast(Any, Kept(range(0))), [], NOW - timedelta(minutes=1), NOW)
