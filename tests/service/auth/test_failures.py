"""The failure handlers' tables: what they accept and what they answer."""

import pytest

from service.auth import failures
from service.chain import Request
from service.errors import FilterError


def request(host: bytes = b"example.com", *more: tuple[bytes, bytes]) -> Request:
    return Request(
        "GET",
        b"/deep/pages",
        path="/deep/pages",
        query_string=b"are=deep",
        headers=[(b"host", host), *more],
    )


def made(name: str, text: str) -> failures.Failure:
    return failures.HANDLERS[name](text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("basicauth", "relm", "missing pair"),
        ("basicauth", "relm=x", "unknown option relm"),
        ("basicauth", 'realm="a\\nb"', "unable to parse realm"),
        ("redirect", "", "configuration required"),
        ("redirect", "code=300", "target url required"),
        ("redirect", "target=://example.com", "unable to parse target"),
        ("redirect", "target=http://example.com,code=red", "unable to parse code red"),
        ("redirect", "target=http://example.com,code=200", "a redirect is 300 to 308"),
        ("status", "code", "missing pair"),
        ("status", "code=red", "unable to parse code red"),
        ("status", "code=999", "unable to parse code 999"),
        ("status", "code=100", "unable to parse code 100"),
    ],
)
def test_wrong_arguments(name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(name, text)


@pytest.mark.parametrize(
    ("text", "host", "challenge"),
    [
        ("", b"example.com", b'Basic realm="example.com"'),
        ("realm=foo.bar", b"example.com", b'Basic realm="foo.bar"'),
        ("", b'a"b\\c', b'Basic realm="a\\"b\\\\c"'),
        ("", b"a\x01\r\n\xffb", b'Basic realm="ab"'),
    ],
)
def test_basicauth_challenges(text: str, host: bytes, challenge: bytes) -> None:
    with pytest.raises(FilterError) as caught:
        made("basicauth", text).answer(request(host))
    assert caught.value.status == 401
    assert caught.value.headers == ((b"www-authenticate", challenge),)


@pytest.mark.parametrize(("text", "code"), [("", 401), ("code=418", 418), ("code=500", 500)])
def test_status(text: str, code: int) -> None:
    with pytest.raises(FilterError) as caught:
        made("status", text).answer(request())
    assert caught.value.status == code


def test_a_status_below_400_is_an_empty_answer() -> None:
    assert made("status", "code=204").answer(request()).status == 204


@pytest.mark.parametrize(
    ("text", "more", "code", "location"),
    [
        ("target=http://other.com/", (), 302, "http://other.com/"),
        ("target=/login,code=303", (), 303, "/login"),
        (
            "target=http://example.com/?r={uri}",
            (),
            302,
            "http://example.com/?r=%2Fdeep%2Fpages%3Fare%3Ddeep",
        ),
        (
            "target=http://other.com/?r={uri}",
            (),
            302,
            "http://other.com/?r=http%3A%2F%2Fexample.com%2Fdeep%2Fpages%3Fare%3Ddeep",
        ),
        (
            "target=http://other.com/?r={uri}",
            ((b"x-forwarded-proto", b"https"),),
            302,
            "http://other.com/?r=https%3A%2F%2Fexample.com%2Fdeep%2Fpages%3Fare%3Ddeep",
        ),
        ("target=/login?r={uri}", (), 302, "/login?r=%2Fdeep%2Fpages%3Fare%3Ddeep"),
    ],
)
def test_redirect(
    text: str, more: tuple[tuple[bytes, bytes], ...], code: int, location: str
) -> None:
    response = made("redirect", text).answer(request(b"example.com", *more))
    assert response.status == code
    assert dict(response.headers)[b"location"] == location.encode()
