"""What reaches a file or a pipe, and how a screen changes in place."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.cli.screens.console import Console, encodable, narrowed, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_no_styles_although_the_terminal_would(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    console = Console()
    assert console.style("good", "ok") == "\x1b[32mok\x1b[0m"
    console.data(console.style("good", "ok"))
    assert capsys.readouterr().out == "ok\n"


def test_a_screen_in_place_clears_only_what_it_does_not_cover(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    Console().in_place(["one  ", "two\x07"])
    assert out.getvalue() == "\x1b[Hone\x1b[K\ntwo\\x07\x1b[K\n\x1b[J"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("odd-\u202e-gnp.exe", "odd-\\u202e-gnp.exe"),
        ("\u2066a\u2069\u200f", "\\u2066a\\u2069\\u200f"),
        ("a\u2028b", "a\\u2028b"),
        ("\x1b[31mours\x1b[0m\tand\nlines", "\x1b[31mours\x1b[0m\tand\nlines"),
        ("日本語 😀", "日本語 😀"),
    ],
)
def test_nothing_moves_the_cursor_or_turns_the_direction_of_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_table_on_a_pipe_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(("A", "B"), [("x" * 300, "y")], fit=True)
    assert "x" * 300 in capsys.readouterr().out


@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(1, 300))
def test_a_table_is_narrowed_where_it_is_widest_and_never_to_nothing(
    widths: list[int], room: int
) -> None:
    found = narrowed(widths, room)
    assert all(
        min(8, before) <= after <= before for before, after in zip(widths, found, strict=True)
    )
    assert sum(found) <= room or max(found) <= 8 or found == widths


def test_a_chart_keeps_its_shape_where_only_ascii_can_be_written() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert encodable("80 ┤╌╌█▄\n 0 ┼──·\n    ▲", stream) == "80 |--#:\n 0 +--.\n    ^"
