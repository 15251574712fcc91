"""The table of limits in docs/service.md says what the code does."""

import re
from importlib import import_module
from pathlib import Path

import pytest

TABLE = re.compile(
    r"^\| (?P<of>.+?) \| (?P<most>.+?) \| (?P<else>.*?) \| `(?P<name>service\.[\w.]+)` \|$"
)
PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
ROWS = [row for line in PAGE.splitlines() if (row := TABLE.match(line))]

# Modules whose bounds clients or operators can meet: each upper-case number of theirs is a row.
OF_CLIENTS = ("service.protocol.limits", "service.entities.mapping")
# What nobody outside can meet.
INNER = {"service.protocol.limits.STOP_SECONDS"}


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_a_limit_is_what_the_page_says(row: re.Match[str]) -> None:
    module, _, name = row["name"].rpartition(".")
    number = re.match(r"[\d,]+", row["most"])
    assert number is not None, row["most"]
    assert getattr(import_module(module), name) == int(number[0].replace(",", ""))


def test_every_limit_that_clients_can_meet_is_a_row() -> None:
    named = {row["name"] for row in ROWS}
    for module in OF_CLIENTS:
        for name, value in vars(import_module(module)).items():
            if name.isupper() and not name.startswith("_") and type(value) in (int, float):
                assert f"{module}.{name}" in named | INNER or _is_elsewhere(name, named)
    assert len(ROWS) > 20


def _is_elsewhere(name: str, named: set[str]) -> bool:
    """It is another module's, and only imported here."""
    return any(other.endswith(f".{name}") for other in named)
