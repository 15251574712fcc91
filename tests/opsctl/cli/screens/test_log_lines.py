import json
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.cli.screens import log_lines
from opsctl.cli.screens.log_lines import Lines
from opsctl.errors import ConfigError
from opsctl.logs.events import LogEvent
from opsctl.logs.identity import short_id

TIME = 1_795_469_405_123


def event(text: str, *, stream: str = "web/web/abc", late: bool = False) -> LogEvent:
    return LogEvent(TIME, TIME + 37_000, "stdout", stream, "1", text, late)


@pytest.mark.parametrize(
    ("stream", "short"),
    [
        ("web/web/0f3a91bc11d24d0f9a53aa77cc2211ee", "0f3a91bc"),
        ("0f3a91bc11d24d0f9a53aa77cc2211ee", "0f3a91bc"),
        ("web/1dc5c17a-422b-4dc4-b493-371970c6c4d6", "1dc5c17a"),
        ("web-20261123T210000Z-3", "3"),
        ("web-20261123T210000Z-3f2a91bc", "3f2a91bc"),
        ("i-0abc12345def67890", "i-0abc1234"),
        ("cluster/i-0abc12345def67890", "i-0abc1234"),
    ],
)
def test_a_stream_has_a_short_name(stream: str, short: str) -> None:
    assert short_id(stream) == short


def test_a_line_has_its_columns_in_order() -> None:
    assert Lines().line(event("ERROR no")) == (
        "2026-11-23 21:30:05.123Z stdout abc        ERROR    ERROR no"
    )
    chosen = Lines(fields=("lag", "stream", "message")).line(event("x"))
    assert chosen == "  37.0s web/web/abc x"


@pytest.mark.parametrize(
    ("kind", "subject", "shown"),
    [
        ("alarm", "unhealthy-hosts", "unhealthy-hosts"),
        ("service", "orders-staging", "orders-staging"),
        ("task", "0f3a91bc11d24d0f9a53aa77cc2211ee", "0f3a91bc"),
        ("target", "i-0abc12345def67890:32769", "i-0abc1234:32769"),
    ],
)
def test_an_event_of_aws_names_the_whole_alarm_and_service(
    kind: str, subject: str, shown: str
) -> None:
    line = Lines(fields=("source", "id", "message")).line(
        LogEvent(TIME, TIME, kind, subject, "1", "OK → ALARM")
    )
    assert line.split()[:2] == [kind, shown]


def test_times_can_be_in_another_zone() -> None:
    east = timezone(timedelta(hours=3))
    line = Lines(fields=("time",), zone=east).line(event(""))
    assert line == "2026-11-24 00:30:05.123+03:00"


def test_a_late_event_says_by_how_much() -> None:
    assert Lines(fields=("message",)).line(event("x", late=True)) == "[late +37s] x"


def test_json_is_laid_out_without_what_the_line_says_already() -> None:
    text = json.dumps({"level": "info", "time": "t", "msg": "up", "port": 8082, "tags": ["a"]})
    assert Lines(fields=("level", "message")).line(event(text)) == (
        'INFO     up port=8082 tags=["a"]'
    )


def test_the_same_stream_has_the_same_colour_everywhere() -> None:
    first, second = (Lines(fields=("id",), colour=True).line(event("")) for _ in range(2))
    other = Lines(fields=("id",), colour=True).line(event("", stream="web/web/other"))
    assert first == second
    assert first[:5] != other[:5]


@given(st.text())
def test_no_message_can_move_the_cursor(text: str) -> None:
    line = Lines(fields=("message",)).line(event(text))
    assert all(character.isprintable() or character == "\n" for character in line)
    later = line.split("\n")[1:]
    assert all(part.startswith("    ") or not part for part in later)


def test_a_field_that_is_none_is_refused() -> None:
    assert log_lines.parse_fields("time, message") == ("time", "message")
    with pytest.raises(ConfigError, match="unknown field `tiem`"):
        log_lines.parse_fields("tiem")
