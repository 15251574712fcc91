"""How a release ended whose command was killed: told from what is live, and written down once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.releases import closing, ledger
from opsctl.snapshot import releases
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Snapshot, Unread
from tests.opsctl.snapshots import (
    NEW,
    NEW_IMAGE,
    OLD,
    OLD_IMAGE,
    OTHER,
    START,
    Driven,
    deployment,
    snapshot,
    stack,
)
from tests.opsctl.ssm import Hooked, Killed, Ssm, Turns, Writer

LATER = START + timedelta(minutes=5)
OPEN = Release(
    7, START, image=NEW_IMAGE, before=OLD_IMAGE, before_deployment="d1", process="p", token="t"
)
CHANGED = stack("ecs", "UPDATE_COMPLETE", changed=LATER)
UNCHANGED = stack("ecs", "UPDATE_COMPLETE", changed=START - timedelta(days=1))


def live(*deployments: Any, state: Any = CHANGED, **parts: Any) -> Snapshot:
    return snapshot(*deployments, seconds=600, stacks={"ecs": state}, **parts)


def judged(now: Snapshot, release: Release = OPEN, later: Release | None = None) -> str:
    outcome = closing.judge(release, later, now)
    return outcome.kind if outcome else ""


def test_its_image_runs_and_serves() -> None:
    assert judged(live(deployment("d2", NEW))) == "deployed"


def test_its_image_runs_and_does_not_serve() -> None:
    now = live(deployment("d2", NEW, running=1), states="healthy unhealthy")
    assert judged(now) == "deployed-unhealthy"


def test_the_old_image_runs_again() -> None:
    state = stack("ecs", "UPDATE_ROLLBACK_COMPLETE", reason="no", changed=LATER)
    assert judged(live(deployment("d3", OLD), state=state)) == "rolled-back"


def test_nothing_had_begun() -> None:
    outcome = closing.judge(OPEN, None, live(deployment("d1", OLD), state=UNCHANGED))
    assert outcome is not None and outcome.kind == "failed"
    assert "before anything was changed" in outcome.reason


def test_the_stack_was_changed_and_went_back_without_a_new_deployment() -> None:
    assert judged(live(deployment("d1", OLD))) == "rolled-back"


def test_another_image_runs() -> None:
    assert judged(live(deployment("d4", OTHER))) == "superseded"


def test_the_service_is_gone() -> None:
    assert judged(live()) == "failed"


def test_a_forced_roll_of_the_same_image_is_told_by_its_deployment() -> None:
    forced = replace(OPEN, image=OLD_IMAGE)
    assert judged(live(deployment("d2", OLD), state=UNCHANGED), forced) == "deployed"
    assert judged(live(deployment("d1", OLD), state=UNCHANGED), forced) == "failed"


@pytest.mark.parametrize(
    "now",
    [
        live(deployment("d2", NEW, pending=1), state=stack("ecs", "UPDATE_IN_PROGRESS")),
        live(deployment("d2", NEW, pending=1, running=1, state="IN_PROGRESS")),
        live(
            deployment("d1", OLD),
            locks={"ecs": Lock("web-ecs", 1, process="p", until=START + timedelta(hours=1))},
        ),
        replace(live(deployment("d2", NEW)), unread=(Unread("service", "no"),)),
    ],
    ids=["the stack changes", "tasks start", "its command lives", "ECS may not be read"],
)
def test_a_release_that_goes_on_or_cannot_be_read_is_left_open(now: Snapshot) -> None:
    assert judged(now) == ""


def test_the_release_of_a_killed_command_on_this_machine_is_closed() -> None:
    locks = {"ecs": Lock("web-ecs", 1, process="p", until=START + timedelta(hours=1))}
    now = live(deployment("d2", NEW), locks=locks)
    outcome = closing.judge(OPEN, None, now, gone=lambda process: process == "p")
    assert judged(now) == "" and outcome is not None and outcome.kind == "deployed"


def test_one_that_is_closed_stays_as_it_is() -> None:
    assert judged(live(deployment("d2", NEW)), replace(OPEN, outcome="rolled-back")) == ""


@pytest.mark.parametrize(
    ("before", "deployment", "kind"),
    [(NEW_IMAGE, "d2", "deployed"), (OLD_IMAGE, "d3", "rolled-back"), ("x", "d9", "superseded")],
)
def test_the_next_release_says_what_it_found(before: str, deployment: str, kind: str) -> None:
    later = Release(8, LATER, before=before, before_deployment=deployment)
    assert judged(live(), later=later) == kind


def test_whoever_looks_closes_it_and_the_next_one_reads_that() -> None:
    ssm = Ssm()
    clients = cast(Any, Writer(ssm))
    Driven(ledger.begin(clients, "web", OPEN, now=START))
    now = replace(live(deployment("d2", NEW)), releases=releases.read(cast(Any, ssm), "web", 10))
    Driven(closing.close_open(clients, now))
    [kept] = releases.read(cast(Any, ssm), "web", 10)
    assert (kept.outcome, kept.definition, kept.deployment) == ("deployed", "web:2", "d2")


@settings(max_examples=60, deadline=None)
@given(order=st.lists(st.integers(0, 2), max_size=30), kill=st.integers(1, 9))
def test_a_killed_writer_and_two_that_look_end_in_one_outcome(order: list[int], kill: int) -> None:
    ssm = Ssm()

    def writer(hook: Any) -> Any:
        clients = cast(Any, Writer(Hooked(ssm, hook)))
        Driven(ledger.begin(clients, "web", OPEN, now=START))
        hook("rolling")

    def reader(hook: Any) -> Any:
        mine = Hooked(ssm, hook)
        known = releases.read(cast(Any, mine), "web", 10)
        now = replace(live(deployment("d2", NEW)), releases=known)
        return Driven(closing.close_open(cast(Any, Writer(mine, "bob")), now)).result

    results = Turns(order, {0: kill}).run(writer, reader, reader)
    assert results[0] is None or isinstance(results[0], Killed)
    for result in (results[1], results[2]):
        assert all(one.outcome == "deployed" for one in result)
    kept = releases.read(cast(Any, ssm), "web", 10)
    assert len(kept) <= 1


RELEASES = (
    Release(1, START, image=OLD_IMAGE, outcome="deployed"),
    Release(2, START, image=NEW_IMAGE, outcome="rolled-back"),
    Release(3, START, image=NEW_IMAGE, outcome="deployed"),
    Release(4, START, image=OLD_IMAGE, outcome="deployed", back_to=1),
)


def test_the_one_that_runs_is_the_newest_good_one_with_its_image() -> None:
    for definition, number in ((OLD, 4), (NEW, 3)):
        running = closing.running(live(deployment("d", definition)), RELEASES)
        assert running is not None and running.number == number
    assert closing.running(live(deployment("d", OTHER)), RELEASES) is None
    assert closing.running(live(), RELEASES) is None


def test_a_rollback_counts_as_the_release_that_it_brought_back() -> None:
    assert closing.original(RELEASES[3], RELEASES).number == 1
    circle = (replace(RELEASES[0], back_to=4), RELEASES[3])
    assert closing.original(RELEASES[3], circle).number in (1, 4)
