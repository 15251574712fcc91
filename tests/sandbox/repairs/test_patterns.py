"""Filter patterns, one line a rule."""

import pytest

from opsctl.sandbox.calls import Refused
from opsctl.sandbox.repairs.patterns import compile_pattern

JSON = '{"level": "error", "status": 502, "ok": false, "user": null, "tags": ["a", "b"], "x-y": 1}'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR timeout", "timeout: ERROR", True),
        ("ERROR timeout", "ERROR", False),
        ('"connection refused"', "x connection refused y", True),
        ('"connection refused"', "refused connection", False),
        ('"say \\"no\\""', 'they say "no"', True),
        ("ERROR -retry", "ERROR", True),
        ("ERROR -retry", "ERROR retry", False),
        ('-"GET /health"', "GET /health 200", False),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("?ERROR REQUEST", "REQUEST", True),
        ("%5[0-9]{2}%", "status 503", True),
        ("%5[0-9]{2}%", "status 403", False),
        ('{ $.level = "error" }', JSON, True),
        ("{ $.level = error }", JSON, True),
        ("{ $.level = err* }", JSON, True),
        ("{ $.level != error }", JSON, False),
        ("{ $.absent != error }", JSON, False),
        ("{ $.status >= 500 }", JSON, True),
        ("{ $.status < 500 }", JSON, False),
        ("{ $.status = 502 && $.level = warning }", JSON, False),
        ("{ $.status = 1 || ($.level = error && $.ok IS FALSE) }", JSON, True),
        ("{ $.user IS NULL }", JSON, True),
        ("{ $.absent NOT EXISTS }", JSON, True),
        ("{ $.tags[1] = b }", JSON, True),
        ('{ $["x-y"] = 1 }', JSON, True),
        ("{ $.level = %^err% }", JSON, True),
        ("{ $.status >= 500 }", "no json at all", False),
    ],
)
def test_a_pattern_matches_what_it_says(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern", ["{ $.a = }", "{ $.a ", "{ a = 1 }", "{ $.a > b }", '"open', "%(%", "[a, b]", "{}"]
)
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Refused) as caught:
        compile_pattern(pattern)
    assert caught.value.code == "InvalidParameterException"
