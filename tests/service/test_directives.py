import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.caddyfile import parse
from service.directives import NAMES, SitePlan, plan
from service.errors import CaddyfileError

ROOT = Path(__file__).parents[2]


def planned(text: str) -> tuple[SitePlan, ...]:
    return plan(parse(text, environment={}))


def test_the_order_of_execution_is_fixed() -> None:
    assert NAMES == (
        "secrets",
        "awscloudwatch",
        "redir",
        "reauth",
        "transformrequest",
        "redis",
        "transformresponse",
    )


def test_directives_run_in_the_order_of_the_list_not_of_the_file() -> None:
    (site,) = planned(":80 {\n redir / /x\n secrets a.yml\n redir /p /q\n}")
    assert [name for name, _ in site.options] == ["secrets", "redir"]
    assert [len(options) for _, options in site.options] == [1, 2]


def test_each_key_of_a_block_is_a_site_of_its_own() -> None:
    first, second = planned(":80, h:81 {\n redir / /x\n}")
    assert (first.address.host, first.address.port) == ("", 80)
    assert (second.address.host, second.address.port) == ("h", 81)
    assert first.options == second.options


def test_a_plan_builds_the_site_and_its_filters() -> None:
    (one,) = planned("h:81 {\n redir / /x\n}")
    site, filters = one.build()
    assert (site.host, site.port, len(filters)) == ("h", 81, 1)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (":80 {\n\n redirr / /x\n}", 3, "Unknown directive 'redirr': did you mean 'redir'?"),
        (":80 {\n gzip\n}", 2, f"Unknown directive 'gzip': allowed are {', '.join(NAMES)}"),
        (":80\nredir / /x\n{\n}", 3, "Unknown directive '{'"),
        (":80 {\n secrets a\n secrets b\n}", 3, "'secrets' is already at Caddyfile:2"),
        (":80 {\n redir /a /b\n redir /a /c\n}", 3, "duplicate 'from' value"),
        (":80 {\n}\n\n:80 {\n}", 4, "duplicate site address: :80"),
        (":80, H:80,\nh:80 {\n}", 2, "duplicate site address: h:80"),
    ],
)
def test_what_is_not_allowed_is_an_error_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(CaddyfileError) as caught:
        planned(text)
    assert (caught.value.file, caught.value.line) == ("Caddyfile", line)
    assert caught.value.message.startswith(message) or message in caught.value.message


def test_an_environment_name_is_judged_by_its_value() -> None:
    blocks = parse(":80 {\n {$WHICH} / /x\n}", environment={"WHICH": "redir"})
    assert plan(blocks)[0].options[0][0] == "redir"


def test_every_directive_has_its_section_in_the_docs_in_order_of_execution() -> None:
    page = Path(__file__).parents[2] / "docs" / "caddyfile.md"
    headings = [line[3:] for line in page.read_text("utf-8").splitlines() if line[:3] == "## "]
    assert headings == ["Grammar", *NAMES]


def words_of_blocks() -> Iterator[tuple[str, str]]:
    """The directive, and the first word of each line that its block takes (`case ["user", …]`)."""
    for path in sorted((ROOT / "service/filters").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.MatchSequence(patterns=[ast.MatchValue(ast.Constant(str(word))), *_]):
                    yield path.stem, word


@pytest.mark.parametrize(("directive", "word"), sorted(set(words_of_blocks())))
def test_a_word_of_a_block_is_in_its_section_and_in_the_sentence_that_lists_them(
    directive: str, word: str
) -> None:
    page = (ROOT / "docs/caddyfile.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^## `?{directive}\b.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert re.search(rf"\b{word}\b", section)
    with pytest.raises(CaddyfileError) as refused:
        planned(
            f":80 {{\n {directive} {'h:1' * (directive == 'redis')} {{\n nonsense of none\n }}\n}}"
        )
    assert re.search(rf"\b{word}\b", str(refused.value))
