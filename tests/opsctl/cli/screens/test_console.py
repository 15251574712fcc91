"""What reaches a file or a pipe, and how a screen changes in place."""

import io

import pytest

from opsctl.cli.screens.console import Console, printable


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
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\u2028b\r\x9b", "a\\u2028b\\x0d\\x9b"),
        ("\x1b[31ma\x1b[0m\tß \u05d0", "\x1b[31ma\x1b[0m\tß \u05d0"),
    ],
)
def test_what_others_wrote_neither_moves_the_cursor_nor_turns_the_line_around(
    text: str, shown: str
) -> None:
    assert printable(text) == shown
