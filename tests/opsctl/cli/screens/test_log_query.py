from hypothesis import given
from hypothesis import strategies as st

from opsctl.cli.screens.log_query import lines

COLUMNS = ("@timestamp", "@message", "lines")
ROW = (
    "2026-11-26 21:57:32.797",
    "the store does not answer, so the request waits for a while",
    "2",
)


def test_a_table_that_fits_stays_a_table() -> None:
    assert [*lines(("a", "lines"), [("x", "2"), ("yy", "10")], 60)] == [
        "a   lines",
        "x   2",
        "yy  10",
    ]


def test_a_long_message_is_folded_in_its_column() -> None:
    assert [*lines(COLUMNS, [ROW], 70)] == [
        "@timestamp               @message                                lines",
        "2026-11-26 21:57:32.797  the store does not answer, so the       2",
        "                         request waits for a while",
    ]


def test_where_a_column_would_be_too_narrow_each_row_is_a_record() -> None:
    assert [*lines(COLUMNS, [ROW, ROW], 40)][:6] == [
        "@timestamp  2026-11-26 21:57:32.797",
        "@message    the store does not answer,",
        "            so the request waits for a",
        "            while",
        "lines       2",
        "",
    ]


def test_a_pipe_gets_each_row_on_one_line_with_all_of_it() -> None:
    long = "x" * 3000
    head, *rows = lines(("m", "n"), [(long, "1"), ("short", "2")], None)
    assert rows[0] == f"{long}  1"
    assert len(head) < 110 and len(rows[1]) < 110


def test_a_very_long_cell_says_how_long_it_is_on_a_terminal() -> None:
    assert "1,000,000 characters; `--json` has all" in " ".join(lines(("m",), [("x" * 10**6,)], 80))


@given(
    st.lists(st.tuples(*[st.text(st.characters(categories=("L", "N")), max_size=90)] * 3)),
    st.integers(20, 200),
)
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(
    rows: list[tuple[str, ...]], width: int
) -> None:
    shown = [*lines(COLUMNS, rows, width)]
    assert all(len(line) <= max(width, 22) for line in shown)
    text = "".join("".join(shown).split())
    assert all(len(text) >= sum(map(len, row)) for row in rows)
