"""The grammar of `--image`: six forms, and nothing else becomes a plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import ConfigError
from opsctl.images.reference import Reference, parse

DIGEST = f"sha256:{'a1' * 32}"
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (DIGEST, Reference(digest=DIGEST)),
        ("v1.2-rc_3", Reference("v1.2-rc_3")),
        ("content-0123abcd", Reference("content-0123abcd")),
        ("web-staging:v1", Reference("v1", "", "web-staging")),
        ("team/web:v1", Reference("v1", "", "team/web")),
        (f"{HOST}/web:v1", Reference("v1", "", "web", HOST)),
        (f"{HOST}/team/web@{DIGEST}", Reference("", DIGEST, "team/web", HOST)),
        (f"{HOST}/web:v1@{DIGEST}", Reference("v1", DIGEST, "web", HOST)),
        (f"127.0.0.1:4566/web@{DIGEST}", Reference("", DIGEST, "web", "127.0.0.1:4566")),
        (f"localhost/web:1@{DIGEST}", Reference("1", DIGEST, "web", "localhost")),
    ],
)
def test_the_six_forms(text: str, reference: Reference) -> None:
    assert parse(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b/c",
        "a b",
        "web:",
        ":v1",
        "@" + DIGEST,
        "sha256:abc",
        DIGEST.upper(),
        DIGEST + "0",
        f"web@{DIGEST}",
        f"web:v1@{DIGEST}",
        f"{HOST}/web",
        f"{HOST}/web:v1@sha256:abc",
        f"{HOST}/web@v1",
        f"{HOST}/Web:v1",
        f"{HOST}//web:v1",
        f"https://{HOST}/web:v1",
        "web/",
        "team/web",
        "-v1",
        "v1\n",
        "wéb:v1",
        "x" * 129,
        "${IMAGE}",
    ],
)
def test_everything_else_is_refused_with_the_forms_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match="is not the reference of an image") as caught:
        parse(text)
    assert "URI@sha256:DIGEST" in (caught.value.hint or "")


@given(st.text(max_size=60))
def test_no_text_is_taken_for_an_image_unless_it_names_a_version(text: str) -> None:
    try:
        reference = parse(text)
    except ConfigError:
        return
    assert reference.version and " " not in text


_WORDS = st.from_regex(r"[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,2}", fullmatch=True)
# A first word with a point before a slash is a host, as for Docker: `my.team/web` needs its URI.
_REPOSITORIES = (
    st.lists(_WORDS, min_size=1, max_size=3)
    .filter(lambda words: len(words) == 1 or "." not in words[0])
    .map("/".join)
)
_HOSTS = st.sampled_from(["", HOST, "127.0.0.1:4566", "localhost"])
_TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)


@given(_HOSTS, _REPOSITORIES, _TAGS | st.just(""), st.sampled_from(["", DIGEST]))
def test_what_is_put_together_by_the_grammar_is_taken_apart_again(
    host: str, repository: str, tag: str, digest: str
) -> None:
    text = f"{host}/{repository}" if host else repository
    text += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    taken = bool(tag or digest) if host else bool(tag and not digest)
    if taken:
        assert parse(text) == Reference(tag, digest, repository, host)
    elif "/" in text or ":" in text:
        with pytest.raises(ConfigError):
            parse(text)
