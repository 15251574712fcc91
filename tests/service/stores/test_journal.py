"""What is kept of the writes that Redis does not know of, and what is only counted."""

import tracemalloc

import pytest

from service.entities.commands import Change, Delete, Entity, Replace, Update
from service.entities.form import Write
from service.stores.journal import Journal


def put(key: str, text: str = "x") -> Replace:
    return Replace(Entity(key.encode()), (b'"a"', f'"{text}"'.encode()), b'"1"')


def post(key: str) -> Update:
    return Update(Entity(key.encode()), (Change(b'"n"', "add", b"1"),), b'"1"')


def delete(key: str) -> Delete:
    return Delete(Entity(key.encode()))


@pytest.mark.parametrize(
    ("writes", "kept"),
    [
        ([post("a"), post("a")], [post("a"), post("a")]),
        ([put("a"), post("a"), post("b")], [put("a"), post("a"), post("b")]),
        ([post("a"), post("b"), put("a", "y"), post("a")], [put("a", "y"), post("a"), post("b")]),
        ([put("a"), post("a"), delete("a")], [delete("a")]),
    ],
)
def test_a_put_or_a_delete_makes_earlier_writes_pointless(
    writes: list[Write], kept: list[Write]
) -> None:
    journal = Journal()
    for write in writes:
        journal.add(write)
    assert list(journal.kept()) == kept
    assert (journal.writes, journal.not_kept) == (len(writes), 0)
    assert journal.entities == len({write.entity for write in writes})


def test_beyond_its_limit_writes_are_counted_and_named() -> None:
    journal = Journal(limit=900)
    assert [journal.add(put(key)) for key in "abc"] == [True, True, False]
    assert list(journal.kept()) == [put("a"), put("b")]
    assert (journal.writes, journal.not_kept, journal.entities) == (3, 1, 2)
    assert journal.keys(2) == ["a", "b"]
    assert journal.add(delete("a"))
    assert list(journal.kept()) == [delete("a"), put("b")]


def test_its_memory_is_bounded_and_given_back() -> None:
    journal = Journal(limit=3000)
    for text in ("x" * 2000, "y" * 2000, "z" * 4000, "w"):
        journal.add(put("a", text))
    assert list(journal.kept()) == [put("a", "w")]
    assert journal.not_kept == 1


def test_what_follows_a_write_that_was_not_kept_is_not_kept_either() -> None:
    journal = Journal(limit=1500)
    big = put("a", "x" * 1500)
    for write in (post("a"), big, post("a"), post("b")):
        journal.add(write)
    assert list(journal.kept()) == [post("b")]
    assert journal.not_kept == 2
    assert journal.add(put("a"))
    assert list(journal.kept()) == [put("a"), post("b")]


def test_a_journal_that_is_full_takes_no_more_memory_than_its_limit() -> None:
    journal, limit = Journal(limit=1_000_000), 1_000_000
    members = tuple(part for n in range(10) for part in (b'"field%d"' % n, b'"value"'))
    tracemalloc.start()
    try:
        for number in range(4000):
            journal.add(Replace(Entity(b"c1:user:example.com:%d" % number), members, b'"1"'))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert journal.not_kept > 0
    assert used < 1.1 * limit
    assert journal.bytes <= limit
