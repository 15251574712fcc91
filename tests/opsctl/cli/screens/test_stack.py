"""The tree of a stack operation: a word for each status."""

import pytest

from opsctl.cli.screens.stack import mark


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("CREATE_COMPLETE", "ok"),
        ("DELETE_COMPLETE", "removed"),  # also in a rollback: it is not there
        ("DELETE_FAILED", "failed"),
        ("ROLLBACK_COMPLETE", "rolled back"),
        ("UPDATE_ROLLBACK_FAILED", "rolled back"),
        ("UPDATE_IN_PROGRESS", "…"),
        ("DELETE_SKIPPED", ""),
    ],
)
def test_each_status_has_its_word(status: str, word: str) -> None:
    assert mark(status)[0] == word
