import asyncio
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.caddyfile import parse as parse_file
from service.chain import Exchange, Request, Response, Site
from service.errors import CaddyfileError, FilterError
from service.filters import redir


def options(text: str) -> tuple[redir.Options, ...]:
    (block,) = parse_file(f":80 {{\n{text}\n}}", environment={})
    parsed = tuple(redir.parse(directive) for directive in block.directives)
    redir.check(parsed)
    return parsed


def rules(text: str) -> list[tuple[str, str, int, bool]]:
    return [
        (rule.source, rule.target, rule.code, rule.meta)
        for each in options(text)
        for rule in each.rules
    ]


def ask(text: str, uri: str, method: str = "GET", **headers: str) -> Response:
    path, _, query = uri.partition("?")
    request = Request(
        method,
        path.encode(),
        path=unquote(path),
        query_string=query.encode(),
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
    )

    return answered(text, request)


def answered(text: str, request: Request) -> Response:
    """The redirect, or 404 where the request goes on."""

    async def end(exchange: Exchange) -> Response:
        return Response(404, b"end")

    async def run() -> Response:
        redirect = redir.build(options(text), Site("", 80))
        assert redirect is not None
        return await redirect(Exchange(request), end)

    return asyncio.run(run())


def location(response: Response) -> str | None:
    return dict(response.headers).get(b"location", b"").decode() or None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redir /to", [("/", "/to", 301, False)]),
        ("redir /from /to", [("/from", "/to", 301, False)]),
        ("redir /from /to 303", [("/from", "/to", 303, False)]),
        ("redir /from /to meta", [("/from", "/to", 301, True)]),
        ("redir {\n /from /to 308\n}", [("/from", "/to", 308, False)]),
        ("redir {\n /a /c\n /b /c meta\n}", [("/a", "/c", 301, False), ("/b", "/c", 301, True)]),
        ("redir 302 {\n /to\n}", [("/", "/to", 302, False)]),
        ("redir 300 {\n / /to 307\n}", [("/", "/to", 307, False)]),
        ("redir /from /to {\n if {path} is /x\n}", [("/from", "/to", 301, False)]),
        ("redir /from /to 307 {\n if a is a\n}", [("/from", "/to", 307, False)]),
        ("redir 302 {\n if a is a\n /a /b\n /c /d 308\n if_op or\n}",
         [("/a", "/b", 302, False), ("/c", "/d", 308, False)]),
        (
            "redir {\n / /foo 304\n}\nredir {\n /bar /x 305\n}",
            [("/", "/foo", 304, False), ("/bar", "/x", 305, False)],
        ),
        ("redir /a /b {\n if {port} is 80\n}\nredir /a /c {\n if a is a\n}",
         [("/a", "/b", 301, False), ("/a", "/c", 301, False)]),
    ],
)  # fmt: skip
def test_forms(text: str, expected: list[tuple[str, str, int, bool]]) -> None:
    assert rules(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("redir", 2, "Wrong argument count"),
        ("redir {\n}", 2, "Wrong argument count"),
        ("redir a b 301 d", 2, "Wrong argument count"),
        ("redir {\n /a /b 301 more\n}", 3, "Wrong argument count"),
        ("redir 300 301 {\n /a /b\n}", 2, "at most a CODE"),
        ("redir /a /b 306", 2, "Invalid redirect code '306': allowed are 300"),
        ("redir 9000 {\n / /foo\n}", 2, "Invalid redirect code '9000'"),
        ("redir 9000 {\n / /foo 300\n}", 2, "Invalid redirect code '9000'"),
        ("redir 300 {\n\n / /foo 9000\n}", 4, "Invalid redirect code '9000'"),
        ("redir meta {\n / /foo\n}", 2, "Invalid redirect code 'meta'"),
        ("redir /a /a", 2, "'from' and 'to' values"),
        ("redir /", 2, "'from' and 'to' values"),
        ("redir {\n /a /b\n /a /c\n}", 4, "duplicate 'from' value: /a -> /b"),
        ("redir /a /b\nredir {\n /a /c\n}", 4, "duplicate 'from' value: /a -> /b"),
        ("redir {\n /a /b\n} redir {\n /a /b\n}", 5, "duplicate 'from' value"),
        ("redir /a /b {\n if a b\n}", 3, "Wrong argument count"),
        ("redir /a /b {\n if a like b\n}", 3, "Invalid operator like: allowed are is, not"),
        ("redir /a /b {\n if a match (\n}", 3, "Invalid regular expression: '('"),
        ("redir /a /b {\n if_op xor\n}", 3, "if_op is"),
    ],
)
def test_errors_are_at_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(CaddyfileError) as caught:
        options(text)
    assert (caught.value.line, message in caught.value.message) == (line, True), str(caught.value)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/from", "/to"),
        ("/from?a=b", "/to"),
        ("/fr%6Fm", "/to"),
        ("/From", None),
        ("/from/", None),
        ("/", None),
        ("/second", "/to2?x=1"),
        ("/dir/relative", "/dir/there"),
        ("/a%2Fb/relative", "/a%2Fb/here"),
        ("/elsewhere", "https://host/e"),
        ("/odd", "http://[x"),
    ],
)
def test_a_path_matches_exactly_and_the_query_does_not_count(
    uri: str, expected: str | None
) -> None:
    text = "\n".join(
        [
            "redir /from /to",
            "redir /second /a/../to2?x=1 302",
            "redir /dir/relative there",
            "redir /a/b/relative here",
            "redir /elsewhere https://host/e",
            "redir /odd http://[x",
        ]
    )
    assert location(ask(text, uri)) == expected


def test_every_path_is_redirected_but_the_target_which_says_ok() -> None:
    text = "redir / /health.txt"
    assert ask(text, "/").status == 301
    assert location(ask(text, "/any/where?x")) == "/health.txt"
    answer = ask(text, "/health.txt?x")
    assert (answer.status, answer.body) == (200, b"ok")
    assert ask(text, "/health.txt", method="HEAD").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "OPTIONS"])
def test_the_target_of_the_check_can_only_be_read(method: str) -> None:
    with pytest.raises(FilterError) as caught:
        ask("redir / /health.txt", "/health.txt", method=method)
    assert (caught.value.status, caught.value.headers) == (405, ((b"allow", b"GET, HEAD"),))


@pytest.mark.parametrize("target", ["/x", "x", "/y/../x", "http://h/x", "http://H/x?q", "//h/x"])
def test_no_rule_redirects_to_where_the_request_is(target: str) -> None:
    assert ask(f"redir {target}", "/x", host="h").body == b"end"


def test_the_first_rule_whose_path_and_conditions_match_wins() -> None:
    text = "redir /a /b {\n if {method} is POST\n}\nredir / /d\nredir /e /f"
    assert location(ask(text, "/a", method="POST")) == "/b"
    assert location(ask(text, "/a")) == "/d"
    assert location(ask(text, "/e")) == "/d"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("if {path} is /p", True),
        ("if {path} not_is /p", False),
        ("if {path} not /p", False),
        ("if {path} not_not /p", True),
        ("if {uri} has p?a", True),
        ("if {uri} not_has p?a", False),
        ("if {?a} is 1", True),
        ("if {>Host} is {host}", True),
        ("if {path} not_starts_with /q", True),
        ("if {path} not_match ^/p$", False),
        ("if {uri} starts_with {path}", True),
        ("if {uri} ends_with =1", True),
        ("if {uri} not_ends_with =1", False),
        ("if {path} match ^/p$", True),
        ('if {path} match "^/p{1}$"', True),
        ("if a is a\n if a is b", False),
        ("if a is a\n if a is b\n if_op or", True),
        ("if_op or", False),
        ("if_op and", True),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:
    answer = ask(f"redir /p /to {{\n {condition}\n}}", "/p?a=1")
    assert (location(answer) == "/to") is holds


def test_placeholders_are_filled() -> None:
    assert location(ask("redir http://x{uri}", "/a?b=c")) == "http://x/a?b=c"
    text = "redir / http://x/a{path}?b=c&{query} 307"
    assert location(ask(text, "/d?e=f")) == "http://x/a/d?b=c&e=f"


@pytest.mark.parametrize("code", redir.CODES)
def test_every_code_is_answered_with_the_target(code: str) -> None:
    for text in (f"redir /a /b {code}", f"redir {code} {{\n /a /b\n}}"):
        answer = ask(text, "/a")
        assert (answer.status, location(answer)) == (int(code), "/b")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_scheme_is_that_of_the_request(scheme: str) -> None:
    request = Request("GET", b"/a", path="/a", headers=[(b"host", b"h")], scheme=scheme)
    redirect = answered("redir / {scheme}://www.{host}{uri}", request)
    assert location(redirect) == f"{scheme}://www.h/a"


def test_a_redirect_has_a_short_body_for_get_only() -> None:
    assert ask("redir /to", "/").body == b'<a href="/to">Moved Permanently</a>.\n\n'
    assert ask("redir /to", "/", method="POST").body == b""
    assert ask("redir / /to 304", "/").body == b""


def test_meta_is_a_page_with_the_target_escaped_and_no_location() -> None:
    answer = ask("redir / https://e.com/{query} meta", "/a?<'\">&")
    assert (answer.status, location(answer)) == (200, None)
    page = answer.body.decode()
    safe = "https://e.com/&lt;&#39;&#34;&gt;&amp;"
    assert f'window.location.replace("{safe}");' in page
    assert f"content=\"0; URL='{safe}'\"" in page


@given(st.text(), st.sampled_from(["/x{path}", "http://h{path}", "{path}", "x{uri}", "//{path}"]))
def test_no_path_breaks_out_of_the_header(path: str, target: str) -> None:
    request = Request("GET", b"/", path="/" + path)
    address = location(answered(f"redir {target}", request))
    assert address is None or all(0x20 < ord(character) < 0x7F for character in address)
