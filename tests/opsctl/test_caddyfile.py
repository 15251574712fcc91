import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl import caddyfile
from opsctl.config import load
from opsctl.errors import TemplateError

ROOT = Path(__file__).parents[2]
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{2,8}", fullmatch=True)
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Lu", "Cc", "Cs", "Zl", "Zp"]))


def test_a_device_without_an_end_is_no_template() -> None:
    with pytest.raises(TemplateError, match="has more than 1 MiB"):
        caddyfile.read(Path("/dev/zero"))


def test_the_template_of_the_repository_is_filled_from_the_example() -> None:
    config = load.load(ROOT / "opsctl.example.yaml", environment=None, environ={}).config
    values = caddyfile.variables(config, {"RedisEndpoint": "cache:6379"})
    filled = caddyfile.fill((ROOT / "Caddyfile_template").read_text(), values)
    assert "awscloudwatch error /example/app example- 65536" in filled
    assert "redis cache:6379 fallback" in filled
    assert not re.search(r"\b[A-Z]+_[A-Z_]+\b", filled)


def test_an_encrypted_cache_has_its_scheme() -> None:
    config = load.load(
        ROOT / "opsctl.example.yaml",
        environment=None,
        environ={},
        overrides=["db.kind=replication_group"],
    ).config
    values = caddyfile.variables(config, {"RedisEndpoint": "cache:6379"})
    assert values["REDIS_ADDRESS"] == "rediss://cache:6379"
    assert values["REDIS_MODE"] == ""


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("redis ADDR", "redis x:1"),
        ("# ADDR", "# x:1"),
        ('"ADDR"', '"x:1"'),
        ("url=ADDR,a=b", "url=x:1,a=b"),
        ("{$ADDR} ADDR", "{$ADDR} x:1"),
        ("{%ADDR%} ADDR", "{%ADDR%} x:1"),
        ("$ADDR ADDR", "$ADDR x:1"),
        ("MYADDR2x ADDRs ADDR", "MYADDR2x ADDRs x:1"),
        ("GET HTTP a A ADDR\r\n", "GET HTTP a A x:1\r\n"),
    ],
)
def test_whole_words_are_replaced_wherever_they_stand(template: str, filled: str) -> None:
    assert caddyfile.fill(template, {"ADDR": "x:1"}) == filled


def test_all_unknown_and_unused_names_are_told_at_once() -> None:
    with pytest.raises(TemplateError) as error:
        caddyfile.fill("a REDIS_ADRESS\n\nb OTHER\n", {"REDIS_ADDRESS": "x", "MINE": "y"})
    assert error.value.message.splitlines() == [
        "Caddyfile_template:1: `REDIS_ADRESS` has no value; did you mean `REDIS_ADDRESS`?",
        "Caddyfile_template:3: `OTHER` has no value; known here: MINE, REDIS_ADDRESS",
        "Caddyfile_template: `MINE` has a value but is never used; remove it, or use it",
    ]


def test_a_database_without_an_endpoint_says_what_to_do() -> None:
    config = load.load(ROOT / "opsctl.example.yaml", environment=None, environ={}).config
    with pytest.raises(TemplateError) as error:
        caddyfile.variables(config, {})
    assert error.value.hint == "opsctl db up"


@given(PLAIN)
def test_text_without_capitals_stays_as_it_is(text: str) -> None:
    assert caddyfile.fill(text, {}) == text


@given(st.lists(st.tuples(NAMES, PLAIN), min_size=1))
def test_each_name_becomes_its_value_and_values_are_not_searched(
    pairs: list[tuple[str, str]],
) -> None:
    values = {name: f"<{value} SOME_NAME>" for name, value in pairs}
    filled = caddyfile.fill("\n".join(values), values)
    assert filled == "\n".join(values.values())


@given(PLAIN, PLAIN)
def test_a_diff_is_empty_exactly_when_the_lines_are_the_same(old: str, new: str) -> None:
    assert (caddyfile.diff(old, new) == []) == (old.splitlines() == new.splitlines())


@pytest.mark.parametrize("line", ["REDIS_MODE", "  cluster"])
def test_a_cache_in_cluster_mode_must_be_told_to_the_service(line: str) -> None:
    values = {"REDIS_MODE": "cluster"}
    with pytest.raises(TemplateError, match="needs the line `REDIS_MODE`"):
        caddyfile.fill("redis x", values)
    assert "cluster" in caddyfile.fill(f"redis x {{\n{line}\n}}", values)
