"""Every command that opsctl hints at is one that its own command line takes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.cli.screens.console import Console
from tests.end_to_end.place import ROOT
from tests.opsctl.cli import hints


def written() -> Iterator[tuple[str, str]]:
    """Every text in the source that names a command, with its place; `{…}` becomes 1."""
    for path in sorted((ROOT / "opsctl").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(one) for one in _docstrings(tree)}
        parts = {
            id(part)
            for one in ast.walk(tree)
            if isinstance(one, ast.JoinedStr)
            for part in ast.walk(one)
            if part is not one
        }
        for node in ast.walk(tree):
            if id(node) in prose or id(node) in parts:
                continue
            text = _text(node)
            if "opsctl " in text:
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text


def _docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        text = ""
        for one in node.values:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                text += one.value
            else:
                # A word of its own, or the end of one.
                text += "1" if text[-1:] in ("", " ", "=", "`") else ""
        return text
    return ""


PLACES = [(place, text) for place, text in written() if hints.commands(text)]


def test_there_are_hints_to_look_at() -> None:
    assert len(PLACES) > 50


@pytest.mark.parametrize(("place", "text"), PLACES, ids=[place for place, _ in PLACES])
def test_a_command_in_the_source_parses(place: str, text: str) -> None:
    for words in hints.commands(text):
        # Filled in from what is known at run time.
        shell = ["bash" if word == "1" else word for word in words]
        known = [word for word in words if word not in ("1", "11")]
        try:
            hints.parse(words, {})
        except hints.DoesNotParse:
            hints.parse(shell if words[0] == "completion" else known, {})


OPTIONS = ("--env", "staging", "--config", "my ops.yaml", "--set", "db.port=6380")


def test_a_hint_leads_back_to_the_same_system(tmp_path: Path) -> None:
    console = Console(options=OPTIONS)
    for text in (
        "opsctl ecs up",
        "first: opsctl ecs up, then: opsctl update-tasks",
        "opsctl history; to roll any image: opsctl update-tasks --image REF",
        'opsctl sandbox up; eval "$(opsctl sandbox env)"',
        "every key: opsctl.example.yaml, opsctl config schema",
    ):
        hints.require_same_system(console.hint(text), OPTIONS, {}, tmp_path)


def test_a_hint_that_leads_to_another_system_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="opsctl ecs down"):
        hints.require_same_system("opsctl ecs down", OPTIONS, {}, tmp_path)
    with pytest.raises(hints.DoesNotParse):
        hints.require_same_system("opsctl ecs sideways", (), {}, tmp_path)
    with pytest.raises(hints.DoesNotParse):
        hints.require_same_system("opsctl rollback --not-there", (), {}, tmp_path)
