"""The pure batching, and the buffer and its thread in front of sinks that fail in all ways."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cloudwatch.stream import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_MESSAGE_BYTES,
    LogEvent,
    LogStream,
    NotWritten,
    Rejected,
    batches,
    cut,
    event,
)

DAY = 24 * 3600 * 1000
SIZES = [1, 1000, 200_000, 349_499, 350_000, 524_262, 524_263, 1_048_550, 1_048_551]


@st.composite
def logs(draw: st.DrawFn) -> list[LogEvent]:
    """Few long and many short events, out of order, over several days."""
    texts = st.one_of(
        st.text(max_size=20),
        st.builds(lambda c, n: c * n, st.sampled_from("aä€😀"), st.sampled_from(SIZES)),
    )
    times = st.one_of(st.integers(0, 1000), st.sampled_from([0, DAY - 1, DAY, 2 * DAY]))
    few = draw(st.lists(st.builds(LogEvent, times, texts), max_size=15))
    many = draw(st.integers(0, 3)) * 6_000
    return few + [LogEvent(draw(times), "x")] * many


@given(logs())
@settings(max_examples=60, deadline=None)
def test_batches_keep_every_event_every_order_and_every_limit(events: list[LogEvent]) -> None:
    batched = list(batches(events))
    flat = [each for batch in batched for each in batch]
    assert flat == sorted(map(cut, events), key=lambda each: each.timestamp)
    for batch in batched:
        assert 1 <= len(batch) <= MAX_BATCH_EVENTS
        assert sum(len(each.message.encode()) + 26 for each in batch) <= MAX_BATCH_BYTES
        assert batch[-1].timestamp - batch[0].timestamp < DAY
        assert all(each.message for each in batch)


def test_batches_are_not_smaller_than_they_need_to_be() -> None:
    assert [len(b) for b in batches([LogEvent(1, "x")] * 20_001)] == [10_000, 10_000, 1]
    big = LogEvent(1, "x" * (MAX_BATCH_BYTES // 2 - 26))
    assert [len(b) for b in batches([big] * 5)] == [2, 2, 1]


@pytest.mark.parametrize("letter", ["x", "ä", "€", "😀"])
def test_an_event_that_is_too_long_is_cut_with_a_mark(letter: str) -> None:
    message = letter * MAX_BATCH_BYTES
    short = cut(LogEvent(5, message))
    raw = short.message.encode()
    assert MAX_MESSAGE_BYTES - 4 < len(raw) <= MAX_MESSAGE_BYTES
    assert short.message.endswith(f" [cut: {len(message.encode())} bytes]")
    longest = LogEvent(5, "x" * MAX_MESSAGE_BYTES)
    assert cut(longest) == longest


def test_what_is_no_text_is_made_one() -> None:
    assert cut(LogEvent(5, "")).message == " "
    assert cut(LogEvent(5, "a\ud800b")).message == "a?b"


def test_an_event_is_a_json_line_with_its_time() -> None:
    made = event(1_700_000_000.1234, "error", path="/\nü", error="x")
    fields = json.loads(made.message)
    assert made.timestamp == 1_700_000_000_123
    assert "\n" not in made.message
    assert fields == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "error",
        "path": "/\nü",
        "error": "x",
    }
    assert datetime.fromisoformat(fields["time"]).timestamp() == 1_700_000_000.123


class Collector:
    """A sink that does what `behave` does before it keeps a batch."""

    def __init__(
        self, behave: Callable[[], Rejected | None] = lambda: None, interval: float = 0.01
    ) -> None:
        self.interval = interval
        self.behave = behave
        self.attempts = 0
        self.got: list[LogEvent] = []
        self.wrote = threading.Event()

    def open(self) -> str:
        return "collected"

    def write(self, batch: Sequence[LogEvent]) -> Rejected | None:
        self.attempts += 1
        rejected = self.behave()
        self.got.extend(batch)
        self.wrote.set()
        return rejected


def stream_to(sink: Collector, capacity: int = 100) -> tuple[LogStream, list[LogEvent]]:
    left: list[LogEvent] = []
    stream = LogStream(sink, capacity, last_resort=left.extend, first_pause=0.01, max_bytes=100_000)
    return stream, left


def numbered(count: int, start: int = 0) -> list[LogEvent]:
    return [LogEvent(n, f"event {n}") for n in range(start, start + count)]


def test_events_are_written_after_the_interval_and_not_before() -> None:
    sink = Collector(interval=0.3)
    stream, left = stream_to(sink)
    stream.open()
    begin = time.monotonic()
    for each in numbered(3):
        stream.put(each)
    assert sink.wrote.wait(5)
    assert time.monotonic() - begin > 0.15
    stream.close()
    assert (sink.got, sink.attempts, left) == (numbered(3), 1, [])
    assert stream.status()["sent"] == 3


def test_a_full_batch_does_not_wait_for_the_interval() -> None:
    sink = Collector(interval=60.0)
    stream = LogStream(sink, 20_000, last_resort=lambda left: None)
    stream.open()
    for each in numbered(MAX_BATCH_EVENTS):
        stream.put(each)
    assert sink.wrote.wait(5)
    stream.close()


def test_a_close_flushes_without_waiting_for_the_interval() -> None:
    sink = Collector(interval=60.0)
    stream, left = stream_to(sink)
    stream.open()
    stream.put(LogEvent(1, "last words"))
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 5
    assert (sink.got, left) == ([LogEvent(1, "last words")], [])


def test_a_full_buffer_drops_the_oldest_counts_them_and_says_so() -> None:
    sink = Collector()
    stream, _ = stream_to(sink, capacity=10)
    for each in numbered(25):
        stream.put(each)
    assert (stream.status()["dropped"], stream.status()["buffered"]) == (15, 10)
    stream.open()
    stream.close()
    *kept, notice = sink.got
    assert kept == numbered(10, start=15)
    assert json.loads(notice.message)["dropped"] == 15


def test_the_weight_of_the_buffer_is_bounded_too() -> None:
    sink = Collector()
    stream, _ = stream_to(sink)
    for n in range(10):
        stream.put(LogEvent(n, "x" * 30_000))
    assert (stream.status()["dropped"], stream.status()["buffered"]) == (7, 3)
    stream.open()
    stream.close()


def test_what_could_not_be_written_is_tried_again_until_it_is() -> None:
    failures = iter(["ThrottlingException", "ServiceUnavailable", "ConnectionClosedError"])

    def fail_thrice() -> None:
        for reason in failures:
            raise NotWritten(reason, retry=True)

    sink = Collector(fail_thrice)
    stream, left = stream_to(sink)
    stream.open()
    for each in numbered(5):
        stream.put(each)
    assert sink.wrote.wait(5)
    stream.close()
    assert sink.got == numbered(5)
    assert left == []
    assert stream.status()["last_error"] == "ConnectionClosedError"


def test_puts_into_a_full_buffer_do_not_hurry_the_attempts() -> None:
    def away() -> None:
        raise NotWritten("away", retry=True)

    sink = Collector(away)
    stream = LogStream(sink, 10_000, last_resort=lambda left: None, first_pause=0.4)
    stream.open()
    end = time.monotonic() + 0.15
    while time.monotonic() < end or not stream.dropped or not sink.attempts:
        stream.put(LogEvent(1, "x"))
    assert 1 <= sink.attempts <= 2
    stream.close(0.1)


@pytest.mark.parametrize(
    "error", [NotWritten("InvalidParameterException", retry=False), KeyError()]
)
def test_a_batch_that_cannot_be_written_goes_to_the_last_resort(error: Exception) -> None:
    def refuse() -> None:
        if sink.attempts == 1:
            raise error

    sink = Collector(refuse)
    stream, left = stream_to(sink)
    stream.open()
    stream.put(LogEvent(1, "bad"))
    deadline = time.monotonic() + 5
    while not left and time.monotonic() < deadline:
        time.sleep(0.005)
    stream.put(LogEvent(2, "good"))
    stream.close()
    assert (left, sink.got) == ([LogEvent(1, "bad")], [LogEvent(2, "good")])
    assert stream.status()["rejected"] == 1


def test_events_that_were_rejected_are_reported() -> None:
    answers = iter([Rejected(2, "2 too old"), None, None])
    sink = Collector(lambda: next(answers))
    stream, _ = stream_to(sink)
    stream.open()
    for each in numbered(5):
        stream.put(each)
    assert sink.wrote.wait(5)
    deadline = time.monotonic() + 5
    while len(sink.got) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    stream.close()
    assert "2 log events were rejected: 2 too old" in sink.got[-1].message
    assert (stream.status()["sent"], stream.status()["rejected"]) == (4, 2)


def test_a_close_ends_in_time_and_what_is_left_goes_to_the_last_resort() -> None:
    def away() -> None:
        raise NotWritten("away", retry=True)

    stream, left = stream_to(Collector(away))
    stream.open()
    for each in numbered(5):
        stream.put(each)
    begin = time.monotonic()
    stream.close(0.3)
    assert time.monotonic() - begin < 10
    assert left == numbered(5)


def test_a_sink_that_hangs_does_not_hang_the_close() -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    stream, left = stream_to(Collector(hang))
    stream.open()
    stream.put(LogEvent(1, "stuck"))
    time.sleep(0.1)
    stream.put(LogEvent(2, "behind"))
    begin = time.monotonic()
    stream.close(0.2)
    assert time.monotonic() - begin < 10
    assert left == [LogEvent(1, "stuck"), LogEvent(2, "behind")]
    release.set()


def test_a_put_does_not_wait_for_a_sink_that_hangs() -> None:
    release = threading.Event()
    stream, _ = stream_to(Collector(lambda: (release.wait(30), None)[1]), capacity=1000)
    stream.open()
    begin = time.monotonic()
    for _ in range(5000):
        stream.put(LogEvent(1, "x"))
    took = time.monotonic() - begin
    release.set()
    stream.close()
    assert took < 20, "less than one write of the sink takes"
