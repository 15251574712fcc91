import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.caddyfile import Token
from service.caddyfile.addresses import Address, parse_address
from service.errors import CaddyfileError


def read(text: str) -> Address:
    return parse_address(Token(text, "Caddyfile", 7))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":80", "", 80),
        (":8082", "", 8082),
        ("localhost", "localhost", 2015),
        ("Example.COM:81", "example.com", 81),
        ("0.0.0.0:80", "0.0.0.0", 80),
        (":http", "", 80),
        ("h:http", "h", 80),
        ("http://h", "h", 80),
        ("HTTP://h:81/", "h", 81),
        ("http://:81", "", 81),
        ("//h:1", "h", 1),
        ("h:", "h", 2015),
        ("[::1]:80", "::1", 80),
        ("*.example.com:65535", "*.example.com", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert read(text) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://h:443", "[http://h:443] scheme and port violate convention"),
        ("https://h:80", "[https://h:80] scheme and port violate convention"),
        ("http://h:https", "scheme and port violate convention"),
        ("https://h", "asks for TLS"),
        (":443", "asks for TLS"),
        (":https", "asks for TLS"),
        ("ftp://h", "has the scheme 'ftp'; allowed is http"),
        ("h:80/path", "has a path"),
        ("/path", "has a path"),
        (":0", "not between 1 and 65535"),
        (":65536", "not between 1 and 65535"),
        (":" + "9" * 5000, "not between 1 and 65535"),
        (":abc", "is not an address"),
        ("a b", "is not an address"),
        ("::1", "is not an address"),
        ("user@h", "is not an address"),
    ],
)
def test_what_is_no_address_here_is_refused_at_its_line(text: str, message: str) -> None:
    with pytest.raises(CaddyfileError, match=r"^Caddyfile:7 - ") as caught:
        read(text)
    assert message in str(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = read(text)
    except CaddyfileError:
        return
    assert 0 < address.port < 65536
    assert read(str(address)) == address or not address.host.isascii() or address.port == 443
