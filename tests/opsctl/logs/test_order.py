from opsctl.logs.events import LogEvent
from opsctl.logs.order import Holdback


def event(timestamp: int, id: str = "", *, ingested: int = 0) -> LogEvent:
    return LogEvent(timestamp, ingested or timestamp, "app", "stream", id, "")


def test_what_is_newer_than_the_hold_waits() -> None:
    held = Holdback()
    held.add([event(1), event(5)], now=10)
    assert [e.timestamp for e in held.release(4)] == [1]
    assert held.oldest() == 5


def test_an_event_older_than_the_output_is_late() -> None:
    held = Holdback()
    held.add([event(5)], now=10)
    held.release(6)
    held.add([event(4), event(5), event(6)], now=10)
    assert [(e.timestamp, e.late) for e in held.release(6)] == [(4, True), (5, False), (6, False)]


def test_inside_a_millisecond_the_order_of_the_server_stays() -> None:
    held = Holdback()
    held.add([event(1, "z"), event(1, "a")], now=10)
    assert [e.id for e in held.release(1)] == ["z", "a"]


def test_an_event_from_the_far_future_is_shown_now_and_makes_nothing_late() -> None:
    held = Holdback()
    held.add([event(5), event(3_600_000)], now=10)
    assert [e.timestamp for e in held.release(8)] == [5, 3_600_000]
    held.add([event(9)], now=10)
    assert [e.late for e in held.release(9)] == [False]
