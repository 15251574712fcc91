"""Every command line in the documents is one that opsctl takes; the tutorial's words are true."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.config import load
from tests.opsctl.cli import hints

ROOT = Path(__file__).parent.parent
# Made from the code, or history.
_ELSEWHERE = {"cli.md", "CHANGELOG.md"}
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SHELLS = ("sh", "console", "")
_SUBSTITUTED = re.compile(r'"\$\(opsctl [^)]+\)"')
_INLINE = re.compile(r"`(opsctl [^`]+)`")
# What a person puts in the place of these words.
_PLACES = {
    "N": "1", "A": "1", "B": "2", "DIR": "dir", "SCENARIO": "no-room", "KEY=VALUE": "db.port=6380",
    "TEXT": "text", "SOURCE": "ecs", "URI": "v1", "REF": "v1", "STACK": "ecs", "GROUP": "lb",
}  # fmt: skip


def pages() -> list[Path]:
    return [
        page
        for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
        if page.name not in _ELSEWHERE
    ]


def others() -> list[Path]:
    """Pages that are not Markdown: what people fill in, copy, or find beside their config."""
    examples = sorted((ROOT / "docs/examples").glob("*.yml"))
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    return [*examples, *forms, ROOT / "opsctl.example.yaml"]


def lines(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".md":
        # Steps of a pipeline; `||` says which exit codes are fine.
        for step in re.findall(r"(?:- |run: |\|\| )(opsctl .*)$", text, re.MULTILINE):
            yield step.partition(" || ")[0]
    shell = [block for language, block in _BLOCK.findall(text) if language in _SHELLS]
    for block in shell:
        for line in block.splitlines():
            command = line.strip().removeprefix("$ ")
            yield from re.findall(r"\$\((opsctl [^)]+)\)", command)
            for part in re.split(r"&&|\|\||;", _SUBSTITUTED.sub("v1", command)):
                if part.strip().startswith("opsctl "):
                    yield part.strip()
    yield from _INLINE.findall(_BLOCK.sub("", text))


def words(line: str) -> list[str]:
    given = shlex.split(re.sub(r"\s#.*|[>|].*", "", line))
    return [_PLACES.get(word, word) for word in given[1:] if word != "…"]


CASES = [(page, line) for page in [*pages(), *others()] for line in dict.fromkeys(lines(page))]


def test_there_are_commands_in_the_documents() -> None:
    assert len(CASES) > 100


@pytest.mark.parametrize(
    ("page", "line"), CASES, ids=[f"{page.name}: {line}" for page, line in CASES]
)
def test_a_command_in_the_documents_parses(page: Path, line: str) -> None:
    if line != "opsctl --version":
        hints.parse(words(line), {})


def test_a_rehearsal_in_the_documents_is_one_that_there_is() -> None:
    scenarios = {one.stem for one in (ROOT / "opsctl_sandbox/rehearsals").rglob("*.yaml")}
    named = {given[1] for _, line in CASES if (given := words(line))[0] == "rehearse" and given[1:]}
    assert {one for one in named if one.islower() and not one.endswith(".yaml")} <= scenarios


@pytest.mark.parametrize("page", pages(), ids=[page.name for page in pages()])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_reached_from_the_list_of_documents() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    own = [page for page in (ROOT / "docs").rglob("*.md") if page.name != "README.md"]
    missing = [page for page in own if f"({page.relative_to(ROOT / 'docs')})" not in listed]
    assert not missing


SNIPPETS = [
    (page, block)
    for page in sorted((ROOT / "docs/how-to").glob("*.md"))
    for language, block in _BLOCK.findall(page.read_text(encoding="utf-8"))
    if language == "yaml"
]


@pytest.mark.parametrize(("page", "block"), SNIPPETS, ids=[page.name for page, _ in SNIPPETS])
def test_what_a_page_says_to_write_is_a_valid_config(
    page: Path, block: str, tmp_path: Path
) -> None:
    network = "network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}"
    file = tmp_path / "opsctl.yaml"
    file.write_text(f"name: orders\n{network}\n{block}")
    staging = "staging" if "environments" in block else None
    assert load.load(file, environment=staging, environ={}, overrides=()).warnings == ()
