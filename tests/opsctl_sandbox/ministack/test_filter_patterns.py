"""Filter patterns, one line a rule; the User Guide's own examples are among them."""

import pytest

from opsctl_sandbox.ministack.filter_patterns.patterns import compile_pattern
from opsctl_sandbox.wire.calls import Refused

JSON = (
    '{"level": "error", "status": 502, "ok": false, "user": null, "tags": ["a", "b"], "x-y": 1,'
    ' "a.b": "dot", "ip": "123.123.1.9", "list": [{"id": 1}, {"id": 2}], "grid": [[0, 1], [4, 5]],'
    ' "text": "404", "event": "Ev*ent"}'
)
USER = (
    '{"user": {"id": 1, "email": "John.Stiles@example.com"}, "actions": ["GET", "PUT", "DELETE"],'
    ' "users": [{"id": 2, "email": "John.Doe@example.com"}], "coordinates": [[0, 1, 2]]}'
)
LINE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "Exiting with ERRORCODE: -1", True),
        ("ERROR", "an error here", False),
        ("ERROR timeout", "timeout: ERROR", True),
        ("ERROR timeout", "ERROR", False),
        ('"connection refused"', "x connection refused y", True),
        ('"connection refused"', "refused connection", False),
        ('"say \\"no\\""', 'they say "no"', True),
        ('"level=error"', "level=error", True),
        ("ERROR -retry", "ERROR", True),
        ("ERROR -retry", "ERROR retry", False),
        ('"ERROR" - "Exiting"', "Exiting with ERRORCODE: -1", False),
        ('-"GET /health"', "GET /health 200", False),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ('?"a b" ?c', "a b", True),
        ("?ERROR REQUEST", "REQUEST", True),
        ("%5[0-9]{2}%", "status 503", True),
        ("%5[0-9]{2}%", "status 403", False),
        (r"%\x28main\x29%", "at (main)", True),
        (r"%^127\.0\.0\.[1-9]%", "127.0.0.1 GET", True),
    ],
)
def test_terms_phrases_exclusions_alternatives_and_regular_expressions(
    pattern: str, message: str, expected: bool
) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ('{ $.level = "error" }', JSON, True),
        ("{$.level=error}", JSON, True),
        ("{ $.level = err* }", JSON, True),
        ("{ $.level = *rro* }", JSON, True),
        ("{ $.level = ERROR }", JSON, False),
        ("{ $.level != error }", JSON, False),
        ("{ $.level != warn }", JSON, True),
        ('{ $.event = "Ev*ent" }', JSON, True),
        ('{ $.level = "e*r" }', JSON, False),
        ("{ $.absent != error }", JSON, False),
        ("{ $.tags = a }", JSON, False),
        ("{ $.tags != a }", JSON, False),
        ("{ $.ip != 123.123.* }", JSON, False),
        ("{ $.status >= 500 }", JSON, True),
        ("{ $.status < 500 }", JSON, False),
        ("{ $.status = 502.0 }", JSON, True),
        ("{ $.status > 5e2 }", JSON, True),
        ("{ $.status < +5.5e+2 }", JSON, True),
        ("{ $.status = 5* }", JSON, True),
        ("{ $.status = * }", JSON, True),
        ("{ $.text > 400 }", JSON, False),
        ("{ $.text = 404 }", JSON, True),
        ("{ $.status = 502 && $.level = warning }", JSON, False),
        ("{ $.status = 1 || ($.level = error && $.ok IS FALSE) }", JSON, True),
        ("{ $.ok IS TRUE }", JSON, False),
        ("{ $.user IS NULL }", JSON, True),
        ("{ $.absent IS NULL }", JSON, False),
        ("{ $.user NOT EXISTS }", JSON, False),
        ("{ $.absent NOT EXISTS }", JSON, True),
        ("{ $.tags[1] = b }", JSON, True),
        ("{ $.tags[2] NOT EXISTS }", JSON, True),
        ("{ $.tags[*] = b }", JSON, True),
        ("{ $.list[1].id = 2 }", JSON, True),
        ("{ $.list[*].id > 2 }", JSON, False),
        ("{ $.grid[1][0] = 4 }", JSON, True),
        ("{ $.level[0] = e }", JSON, False),
        ('{ $["x-y"] = 1 }', JSON, True),
        ("{ $.x-y = 1 }", JSON, True),
        ("{ $.['a.b'] = dot }", JSON, True),
        ("{ $.level = %^err% }", JSON, True),
        ("{ $.tags[*] = %^[bc]$% }", JSON, True),
        ("{ $.status >= 500 }", "no json at all", False),
        ("{ $.a NOT EXISTS }", "[1, 2]", True),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', USER, True),
        (
            '{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }',
            USER,
            False,
        ),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch '
            "&& $.actions[2] = nomatch }",
            USER,
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) '
            "&& $.actions[2] = nomatch }",
            USER,
            False,
        ),
    ],
)
def test_json_selectors(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", LINE, True),
        ("[ip, user, username, timestamp, request, status_code]", LINE, False),
        ("[ip, user, username, timestamp, request, status_code, bytes, more]", LINE, False),
        ("[ip, user, ...]", LINE, True),
        ("[..., status_code, bytes]", LINE, True),
        ("[ip, ..., status_code = 404, bytes]", LINE, True),
        ("[ip, ..., status_code = 500, bytes]", LINE, False),
        ("[...]", LINE, True),
        ("[..., a, b, c, d, e, f, g]", LINE, True),
        ("[..., a, b, c, d, e, f, g, h]", LINE, False),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", LINE, True),
        ("[ip, user, username, timestamp, request, status_code, bytes <= 1533]", LINE, False),
        ("[ip, user, username > 3, ...]", LINE, False),
        (
            "[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]",
            LINE,
            True,
        ),
        ("[..., request=*.html*, status_code=4*,]", LINE, True),
        ("[..., request=*.html*, status_code=4*]", LINE, False),
        ('[..., request="GET *", status_code, bytes]', LINE, True),
        ('[..., request="GET /index.html HTTP/1.0", status_code, bytes]', LINE, True),
        ("[ip, user = -, username, timestamp = 10/Oct*, ...]", LINE, True),
        ("[..., status_code = 4* && status_code != 403, bytes]", LINE, True),
        ("[..., status_code = 4* && status_code != 404, bytes]", LINE, False),
        ("[..., status_code = 410 || status_code = 404, bytes]", LINE, True),
        ('[..., status_code = "404", bytes]', LINE, True),
        ("[..., status_code = 404.0, bytes]", LINE, True),
        (r"[ip = %^127\.0\.0\.[1-9]$%, ...]", LINE, True),
        ("[ip = %^10%, ...]", LINE, False),
        ("[w1=ERROR, w2]", "ERROR message", True),
        ("[w1=ERROR, w2]", "ERROR WARN message", False),
        ("[w1=ERROR, w2]", "error message", False),
        ("[w1=ERROR || w1=%WARN%, w2]", "WARNING message", True),
        ("[w1!=ERROR&&w1!=WARN, w2]", "INFO message", True),
        ("[w1!=ERROR&&w1!=WARN, w2]", "WARN message", False),
        ('[timestamp=*Z, request_id="*-*", event]', "2026-01-01T00:00:00Z 1-2 {}", True),
        ("[level = INFO, text]", "[INFO]  started", True),
        ("[a, b, c]", '1 "open 3', True),
        ("[a]", "", False),
    ],
)
def test_lines_of_fields(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a ", "starts with '{' it must end with '}'"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $.a > b }", "Invalid filter pattern"),
        ("{ $.a = 1 && }", "Invalid filter pattern"),
        ("{ ($.a = 1 }", "Invalid filter pattern"),
        ("{ $.a IS GREAT }", "Invalid filter pattern"),
        ("{ $.a EXISTS }", "Invalid filter pattern"),
        ("{ $.a = a@b }", "Invalid character(s) in term '@'"),
        ("{}", "Invalid filter pattern"),
        ("{ $.a = %a% && $.b = %b% && $.c = %c% }", "Invalid filter pattern"),
        ("[a, b", "starts with '[' it must end with ']'"),
        ("[]", "Invalid filter pattern"),
        ("[a = ]", "Invalid filter pattern"),
        ("[a = 1 b]", "Invalid filter pattern"),
        ("[a > x]", "Invalid filter pattern"),
        ("[a = 1 && b = 2]", "Invalid filter pattern"),
        ("[..., a, ...]", "Invalid filter pattern"),
        ("[a = b@c]", "Invalid character(s) in term '@'"),
        ("[a b]", "Invalid filter pattern"),
        ('"open', "Invalid filter pattern"),
        ('""', "Invalid character(s) in term"),
        ("Status:", "Invalid character(s) in term ':'"),
        ("email@example", "Invalid character(s) in term '@'"),
        ("ERROR*", "Invalid character(s) in term '*'"),
        ("%(%", "Invalid character(s) in term '('"),
        (r"%\(main%", "Invalid character(s) in term '('"),
        ("%something!%", "Invalid character(s) in term '!'"),
        ("%[%", "Invalid filter pattern"),
        ("x" * 1025, "less than or equal to 1024"),
    ],
)
def test_a_malformed_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        compile_pattern(pattern)
    assert caught.value.code == "InvalidParameterException"
    assert message in caught.value.message
