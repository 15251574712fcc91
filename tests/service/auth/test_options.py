"""Option strings, Go's booleans and durations, and URLs."""

import pytest

from service.auth import options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("url=http://google.com", {"url": "http://google.com"}),
        ("a=1,b=2,a=3", {"a": "3", "b": "2"}),
        ("url=http://x/?a=b", {"url": "http://x/?a=b"}),
        ("base=OU=a,dc=x", {"base": "OU=a", "dc": "x"}),
        ("list=a,b,c,next=d", {"list": "a,b,c", "next": "d"}),
        ('not="so,bad=bar,friend"', {"not": "so,bad=bar,friend"}),
        ('not="so,bad=bar,friend",x=1', {"not": "so,bad=bar,friend", "x": "1"}),
        ('a="x\\u0020y"', {"a": "x y"}),
        ("a=x\\u0020y", {"a": "x\\u0020y"}),
        ('a="', {"a": '"'}),
        ("a=", {"a": ""}),
    ],
)
def test_pairs(text: str, expected: dict[str, str]) -> None:
    assert options.pairs(text) == expected


@pytest.mark.parametrize("text", ["", "url", ",a=1", "=1", " =1"])
def test_a_text_without_a_pair_is_an_error_that_says_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"missing pair: .*'key1=value1,key2=\.\.'"):
        options.pairs(text)


def test_an_unknown_option_is_told_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"^unknown option timout; allowed are url, timeout$"):
        options.pairs("url=x,timout=5s", ("url", "timeout"))


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true(text: str) -> None:
    assert options.boolean({"follow": text}, "follow")


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_false(text: str) -> None:
    assert not options.boolean({"follow": text}, "follow")
    assert not options.boolean({}, "follow")


@pytest.mark.parametrize("text", ["yesplease", "yes", "tRUE", "", "on"])
def test_neither_true_nor_false(text: str) -> None:
    with pytest.raises(ValueError, match=f"unable to parse follow {text}"):
        options.boolean({"follow": text}, "follow")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("10us", 1e-5),
        ("10\u00b5s", 1e-5),
        ("7ns", 7e-9),
        ("0", 0.0),
        ("0s", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert options.duration({"timeout": text}, "timeout", 9.0) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5j", "300", "", "s", "-5s", "5 s", "5s!", ".s", "\u0665s"])
def test_what_go_does_not_take_for_a_duration_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse timeout"):
        options.duration({"timeout": text}, "timeout", 9.0)


def test_a_timeout_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        options.positive_duration({"timeout": "0"}, "timeout", 9.0)
    assert options.positive_duration({}, "timeout", 9.0) == 9.0


@pytest.mark.parametrize("text", ["http://h", "https://h:8443/base/", "http://[::1]:80"])
def test_urls_lose_the_slash_at_their_end(text: str) -> None:
    assert options.http_url({"url": text}) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "!http://google.com",
        "google.com",
        "ftp://h",
        "http://",
        "http://h:x",
        "http://h\n",
        "http://[::1",
    ]
    + ["http://u:p@h", "http://h/?a=b", "http://h/#f"],
)
def test_what_is_no_url_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse url"):
        options.http_url({"url": text})


def test_a_url_is_required() -> None:
    with pytest.raises(ValueError, match="url is a required parameter"):
        options.http_url({})
