"""Every fact about AWS names code and tests that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl_sandbox import rehearsals

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "aws-facts.md").read_text(encoding="utf-8")
ROWS = [
    cells
    for line in PAGE.splitlines()
    if line.startswith("| ") and len(cells := re.split(r" \| ", line.strip("| "))) == 4
]


def _files(cell: str, tool: str, sandbox: str) -> Iterator[list[Path]]:
    """For each file of a cell, where it may be."""
    own, _, theirs = cell.partition("sandbox:")
    for part, folder in ((own, tool), (theirs, sandbox)):
        for name in re.findall(r"`([\w./-]+\.(?:py|j2))`", part):
            yield [ROOT / name, ROOT / folder / name]


@pytest.mark.parametrize("row", ROWS[2:], ids=lambda row: row[0][:40])
def test_its_code_and_its_tests_are_there(row: list[str]) -> None:
    _, source, code, tests = row
    assert re.search(r"\b[MDSOC]\b", source), "no source"
    files = [
        *_files(code, "opsctl", "opsctl_sandbox"),
        *_files(tests, "tests/opsctl", "tests/opsctl_sandbox"),
    ]
    for places in files:
        assert any(place.exists() for place in places), places[0].name
    goldens = re.findall(r"golden file `([\w.]+)`", tests)
    assert all((ROOT / "tests" / "golden" / name).exists() for name in goldens)
    assert re.search(r"`|the same", code) and re.search(r"`|the same", tests), "not held by a test"
    for name in re.findall(r"rehearsal `([\w-]+)`", tests):
        assert list(Path(rehearsals.__file__).parent.rglob(f"{name}.*")), name


def test_every_row_of_the_review_leads_to_its_facts() -> None:
    section = PAGE.partition("## The rows of the review")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| (.+) \|$", section, re.MULTILINE)
    assert sorted(int(one) for numbers, _ in rows for one in numbers.split(", ")) == [*range(1, 33)]
    facts = [row[0] for row in ROWS]
    for beginning in (words for _, cell in rows for words in cell.split("; ")):
        assert any(fact.startswith(beginning) for fact in facts), beginning
