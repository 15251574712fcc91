"""reauth: text -> options, or an error at its line; the original's table first."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.auth.settings import RefreshOptions, UpstreamOptions
from service.errors import CaddyfileError
from service.filters import reauth
from tests.service.filters.reauth_site import SIMPLE, block, directives


def parse(text: str) -> reauth.Options:
    (directive,) = directives(text)
    return reauth.parse(directive)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reauth /nothing", "Testfile:2 - Error during parsing: Wrong argument count"),
        ("reauth", "at least one path is required"),
        (block(), "at least one path is required"),
        (block("path /test"), "at least one backend required"),
        (block(SIMPLE), "at least one path is required"),
        (block("path a b"), "Testfile:3 - Error during parsing: Wrong argument count .* 'path'"),
        (block("path"), "Testfile:3 - Error during parsing: Wrong argument count"),
        (block("path /test", "simple"), "Testfile:4 - wrong number of arguments for simple"),
        (block("path /test", "simple a=b c=d"), "wrong number of arguments for simple"),
        (block("path /test", "except"), "Wrong argument count .* 'except'"),
        (block("path /test", "except a b"), "Wrong argument count .* 'except'"),
        (block("path /test", "foo bar=baz"), "Testfile:4 - unknown backend for foo"),
        (block("path /test", "simple username"), "missing pair for simple"),
        (block("path /test", "failure"), "Wrong argument count .* 'failure'"),
        (block("path /test", "failure status code=500 x"), "Wrong argument count"),
        (block("path /test", "failure redirect"), "configuration required for failure redirect"),
        (block("path /t", "failure redirect code=300"), "target url required for failure redirect"),
        (block("path /test", "failure foo"), "unknown failure handler foo: "),
        (block("path /t", "failure status", "failure status"), "Wrong argument count"),
        (block("path /t", "refresh url=x"), "unable to parse url x: .* for refresh"),
        (block("path /t", "refresh timeout=5s"), "url is a required parameter for refresh"),
        (block("path /t", "refresh url=http://a,timeout=5j"), "unable to parse timeout 5j"),
        (block("path /t", "refresh url=http://a,skipverify=yesplease"), "skipverify yesplease"),
        (block("path /t", "refresh url=http://a,follow=yesplease"), "follow yesplease"),
        (block("path /t", "refresh url=http://a,cookies=yay"), "cookies yay"),
        (block("path /t", "refresh url=http://a,lock_timeout=300"), "lock_timeout 300"),
        (block("path /t", "refresh url=http://a,limit=9"), "unknown option limit; allowed are url"),
        (block("path /t", "refresh url=http://a,lifetime=0"), "lifetime 0: .* more than 0"),
        (block("path /t", "refresh url=http://a,timeout=0s"), "timeout 0s: .* more than 0"),
        (block("path /t", "refresh url=http://a,stale=soon"), "unable to parse stale soon"),
        (block("path /t", "upstream timeout=5s"), "url is a required parameter for upstream"),
        (block("path /t", "upstream url=http://a,skipverify=si"), "skipverify si"),
        (block("path /t", "upstream url=http://a,stale=1s"), "unknown option stale"),
        (block("path /t", "ldap url=ldap://a"), "unknown backend for ldap .*simple, upstream"),
    ],
)
def test_wrong_blocks_are_errors_with_their_line(text: str, message: str) -> None:
    with pytest.raises(CaddyfileError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("Testfile:")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "paths", "excepts"),
    [
        (("path /test",), ("/test",), ()),
        (("path /test", "path /foo"), ("/test", "/foo"), ()),
        (("path /test", "except /test/a"), ("/test",), ("/test/a",)),
        (("except /a", "path /", "except /b"), ("/",), ("/a", "/b")),
    ],
)
def test_right_blocks(lines: tuple[str, ...], paths: object, excepts: object) -> None:
    options = parse(block(*lines, SIMPLE))
    assert (options.paths, options.excepts, options.failure) == (paths, excepts, None)
    assert len(options.backends) == 1
    assert "password" not in repr(options)


def test_the_block_of_the_description() -> None:
    text = "url=https://auth.example.com/,skipverify=true,timeout=5s,follow=true"
    line = f"refresh {text},cache_path=/tmp/reauth,lock_timeout=5m"
    (options,) = parse(block("path /v1", line, "failure status code=401")).backends
    assert options == RefreshOptions(
        url="https://auth.example.com",
        timeout=5.0,
        skipverify=True,
        follow=True,
        cookies=False,
        cache_path=Path("/tmp/reauth"),
        lock_timeout=300.0,
        lifetime=10800.0,
        stale=0.0,
    )


REFRESH = RefreshOptions("http://a", 60, False, False, False, None, 60, 10800, 0)
UPSTREAM = UpstreamOptions("http://a", 60, False, False, False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("refresh url=http://a", REFRESH),
        ("refresh url=http://a/", REFRESH),
        ("refresh url=http://a/base/", replace(REFRESH, url="http://a/base")),
        ("refresh url=http://a,timeout=1m30s", replace(REFRESH, timeout=90)),
        ("refresh url=http://a,skipverify=1", replace(REFRESH, skipverify=True)),
        ("refresh url=http://a,follow=T", replace(REFRESH, follow=True)),
        ("refresh url=http://a,cookies=true", replace(REFRESH, cookies=True)),
        ("refresh url=http://a,cache_path=x/y", replace(REFRESH, cache_path=Path("x/y"))),
        ("refresh url=http://a,cache_path=", REFRESH),
        ("refresh url=http://a,lock_timeout=0", replace(REFRESH, lock_timeout=0)),
        ("refresh url=http://a,lifetime=10m", replace(REFRESH, lifetime=600)),
        ("refresh url=http://a,stale=1h", replace(REFRESH, stale=3600)),
        ("refresh timeout=1s,url=http://a,timeout=2s", replace(REFRESH, timeout=2)),
        ("upstream url=http://a", UPSTREAM),
        ("upstream url=http://a,timeout=5s", replace(UPSTREAM, timeout=5)),
        ("upstream url=http://a,skipverify=true", replace(UPSTREAM, skipverify=True)),
        ("upstream url=http://a,insecure=true", replace(UPSTREAM, skipverify=True)),
        ("upstream url=http://a,follow=true", replace(UPSTREAM, follow=True)),
        ("upstream url=http://a,cookies=true", replace(UPSTREAM, cookies=True)),
    ],
)
def test_each_option_of_a_backend(line: str, expected: object) -> None:
    assert parse(block("path /", line)).backends == (expected,)
