from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chain import Request
from service.filters.redir.placeholders import fill

REQUEST = Request(
    "PUT",
    b"/a%20b/c",
    path="/a b/c",
    query_string=b"x=1%2F&y=&x=2",
    headers=[
        (b"host", b"api.example.com:8082"),
        (b"accept", b"text/*"),
        (b"accept", b"*/*"),
        (b"cookie", b'one=1; two="2"; broken'),
    ],
    id="abc",
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{method} {scheme}", "PUT http"),
        ("{host}|{hostonly}|{server_port}", "api.example.com:8082|api.example.com|8082"),
        ("{path}|{rewrite_path}", "/a b/c|/a b/c"),
        ("{uri}", "/a%20b/c?x=1%2F&y=&x=2"),
        ("{query}", "x=1%2F&y=&x=2"),
        ("{path_escaped}", "%2Fa+b%2Fc"),
        ("{query_escaped}", "x%3D1%252F%26y%3D%26x%3D2"),
        ("{dir}|{file}", "/a b/|c"),
        ("{request_id}", "abc"),
        ("{>Accept}|{>accept}|{>none}", "text/*,*/*|text/*,*/*|"),
        ("{~one}{~two}{~broken}{~none}", "12"),
        ("{?x}|{?y}|{?z}", "1/||"),
        ("{label1}.{label2}.{label0}{label9}{label}{labelx}", "api.example."),
        ("{fragment}{remote}{unknown}{}", ""),
        ("{method", "{method"),
        ("method}", "method}"),
        (r"\{method\}", "{method}"),
        (r"\{{method}\}", "{PUT}"),
        ("{{method}}", "}"),
    ],
)
def test_placeholders(template: str, text: str) -> None:
    assert fill(template, REQUEST) == text


def test_times() -> None:
    moment = datetime(2018, 3, 15, 12, 30, 45, 678000, tzinfo=UTC)
    text = fill("{when_iso} {when_unix} {when_unix_ms}{when_never}", REQUEST, now=lambda: moment)
    assert text == "2018-03-15T12:30:45Z 1521117045 1521117045678"
    assert fill("{when}", REQUEST, now=lambda: moment)[3:12] == "Mar/2018:"
    assert len(fill("{when_iso_local}", REQUEST, now=lambda: moment)) == 19


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [(b"h", "h", "80"), (b"[::1]:9", "::1", "9"), (b"::1", "::1", "80"), (b"", "", "80")],
)
def test_hosts_with_and_without_a_port(host: bytes, name: str, port: str) -> None:
    request = Request("GET", b"/", path="/", headers=[(b"host", host)])
    assert fill("{hostonly} {server_port}", request) == f"{name} {port}"


@given(st.text("{}\\>~?abpath"), st.binary(), st.binary())
def test_no_template_and_no_request_breaks_it(template: str, query: bytes, cookie: bytes) -> None:
    request = Request("GET", b"/", path="/", query_string=query, headers=[(b"cookie", cookie)])
    assert isinstance(fill(template, request), str)
    assert isinstance(fill("{?a}{~b}{uri}{query_escaped}", request), str)
