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
        ("12:00:01|ERROR|worker|gone", "error"),
        ("[2026-11-23][WARN] slow", "warning"),
        ("INFO: started", "info"),
        ('{"level": 30}', "info"),  # pino and bunyan
        ('{"level": 60, "msg": "x"}', "fatal"),
        ('{"level": 35}', "info"),
        ('{"level": 3, "short_message": "x"}', "error"),  # syslog and GELF
        ('{"levelno": 30}', "warning"),  # Python
        ('{"level": 3000}', ""),
        ('{"level": true}', ""),
        ("level=50 msg=x", "error"),
        ("lvl=warn ts=1 msg=x", "warning"),
        ('{"level": ', ""),
    ],
)
def test_the_level_is_what_the_message_says_of_itself(raw: str, level: str) -> None:
    assert message.read(raw).level == level


def test_the_text_of_json_is_its_message_and_the_rest_are_fields() -> None:
    said = message.read('{"level": "info", "event": "up", "port": 80, "name": "a"}')
    assert (said.text, message.laid_out(said)) == ("up", "up port=80 name=a")


def test_logfmt_is_laid_out_as_json_is() -> None:
    said = message.read('level=warn time=2026 msg="no \\"route\\"" host=10.0.0.1 empty= \n')
    assert said.level == "warning"
    assert message.laid_out(said) == 'no "route" host=10.0.0.1 empty='


@pytest.mark.parametrize(
    "raw", ["a=1", "a=1 and b=2", 'a="1', "=1 b=2", "https://x/?a=1&b=2", 'a="1"b c=2']
)
def test_prose_with_an_equals_sign_is_not_logfmt(raw: str) -> None:
    assert message.read(raw) == message.Message("", raw)


def test_a_field_has_a_name_or_a_path() -> None:
    said = message.read('{"request": {"uri": "/a"}, "a.b": 1, "list": [1]}')
    assert message.field(said, "request.uri") == "/a"
    assert message.field(said, "a.b") == 1
    assert message.field(said, "list.0") is None
    assert message.field(message.read("text"), "a") is None


def test_what_is_not_json_stays_as_it_is() -> None:
    assert message.laid_out(message.read("{broken json} here\n")) == "{broken json} here"


@given(st.text())
def test_every_message_can_be_read(raw: str) -> None:
    message.laid_out(message.read(raw))
    message.laid_out(message.read("{" + raw))


@pytest.mark.parametrize("raw", ['{"a": NaN}', '{"a":' * 100_000, '{"a": 1} {"b": 2}'])
def test_what_only_looks_like_json_is_text(raw: str) -> None:
    assert message.read(raw) == message.Message("", raw)
