import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.logs import message


@pytest.mark.parametrize(
    ("raw", "level"),
    [
        ("ERROR connection refused", "error"),
        ("2026-11-23T10:00:00 WARN slow", "warning"),
        ('level=info time=2026 msg="Loading"', "info"),
        ('level="critical" msg=x', "critical"),
        ("2026-11-23 [error] no route", "error"),
        ("no error was found", ""),
        ("INFORMATION", ""),
        ("level=loud", ""),
        ('{"level": "WARN", "message": "x"}', "warning"),
        ('{"severity": "ERROR"}', "error"),
        ('{"level": 30}', ""),
        ('{"level": ', ""),
    ],
)
def test_the_level_is_what_the_message_says_of_itself(raw: str, level: str) -> None:
    assert message.read(raw).level == level


def test_the_text_of_json_is_its_message_and_the_rest_are_fields() -> None:
    said = message.read('{"level": "info", "event": "up", "port": 80, "name": "a"}')
    assert (said.text, message.laid_out(said)) == ("up", "up port=80 name=a")


def test_what_is_not_json_stays_as_it_is() -> None:
    assert message.laid_out(message.read("{broken json} here\n")) == "{broken json} here"


@given(st.text())
def test_every_message_can_be_read(raw: str) -> None:
    message.laid_out(message.read(raw))
    message.laid_out(message.read("{" + raw))


@pytest.mark.parametrize("raw", ['{"a": NaN}', '{"a":' * 100_000, '{"a": 1} {"b": 2}'])
def test_what_only_looks_like_json_is_text(raw: str) -> None:
    assert message.read(raw) == message.Message("", raw)
