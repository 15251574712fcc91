from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from opsctl.logs.identity import Zones, zones
from opsctl.logs.pace import at_once
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import NAMES, OLD, START

NOW = Snapshot(
    START,
    NAMES,
    tasks=(Task("0f3a91bc11d24d0f9a53aa77cc2211ee", "RUNNING", OLD, "d1", zone="us-east-1a"),),
    instances=(ContainerInstance("arn", "i-0abc12345def", "ACTIVE", True, zone="us-east-1b"),),
)


def test_streams_of_tasks_and_of_instances_have_a_zone() -> None:
    zone_of = Zones(lambda _: NOW, now=lambda: 0.0, start=at_once)
    streams = ("web/web/0f3a91bc11d24d0f9a53aa77cc2211ee", "web/i-0abc12345def")
    assert zone_of(streams[0]) == ""
    assert [zone_of(stream) for stream in streams] == ["us-east-1a", "us-east-1b"]
    assert zones(NOW) == {"0f3a91bc": "us-east-1a", "i-0abc1234": "us-east-1b"}


def test_an_unknown_stream_is_looked_for_again_but_not_all_the_time() -> None:
    clock, looks = [0.0], [0]

    def look(_: object) -> Snapshot:
        looks[0] += 1
        return NOW

    zone_of = Zones(look, now=lambda: clock[0], start=at_once)
    for clock[0] in range(0, 65, 5):
        zone_of("web/web/ffffffff")
    assert looks[0] == 3


def test_what_cannot_be_read_leaves_zones_empty() -> None:
    def fails(call: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(OSError("away"))
        return future

    zone_of = Zones(lambda _: NOW, now=lambda: 0.0, start=fails)
    assert (zone_of("i-0abc12345def"), zone_of("i-0abc12345def")) == ("", "")
