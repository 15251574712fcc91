"""The ledger: a number is taken once, whoever writes at the same time and whoever is killed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.cli.screens import releases as screen
from opsctl.outcome import Outcome
from opsctl.procedure import Notice
from opsctl.releases import ledger
from opsctl.snapshot import releases
from opsctl.snapshot.releases import Release
from tests.opsctl.snapshots import START, Driven
from tests.opsctl.ssm import Hooked, Killed, Ssm, Turns, Writer, refused

FACTS = Release(0, START, image="repository@sha256:2", commit="f" * 40, desired=2)


def begin(ssm: Any, facts: Release = FACTS, name: str = "ann") -> Release:
    clients = cast(Any, Writer(ssm, name))
    release = Driven(ledger.begin(clients, "web", facts, now=START)).result
    assert isinstance(release, Release)
    return release


def end(ssm: Any, release: Release, kind: Any = "deployed", name: str = "ann") -> Driven:
    clients = cast(Any, Writer(ssm, name))
    outcome, at = Outcome(kind, "a reason"), START + timedelta(minutes=3)
    return Driven(ledger.end(clients, "web", release, outcome, now=at, definition="web:7"))


def read(ssm: Any, newest: int = 100) -> tuple[Release, ...]:
    return releases.read(cast(Any, ssm), "web", newest)


def test_a_release_is_running_until_it_is_closed() -> None:
    ssm = Ssm()
    release = begin(ssm)
    [kept] = read(ssm)
    assert kept.number == 1 and kept.running and not kept.good and kept.took is None
    end(ssm, release)
    [kept] = read(ssm)
    assert kept.good and kept.took == timedelta(minutes=3) and kept.definition == "web:7"
    assert (kept.image, kept.commit, kept.desired) == (FACTS.image, FACTS.commit, 2)
    assert kept.name == "ann" and kept.command == "update-tasks"


def test_the_names_are_padded_with_zeros_so_that_text_has_their_order() -> None:
    ssm = Ssm()
    end(ssm, begin(ssm))
    assert "/opsctl/web/releases/000001" in ssm.values
    assert "/opsctl/web/releases/000001/outcome" in ssm.values


def test_what_a_release_said_first_is_never_overwritten() -> None:
    ssm = Ssm()
    release = begin(ssm)
    end(ssm, release, "rolled-back")
    end(ssm, release, "deployed", "bob")
    [kept] = read(ssm)
    assert kept.outcome == "rolled-back"


def test_an_answer_that_was_lost_makes_no_second_release() -> None:
    ssm = Ssm()
    put = ssm.put_parameter

    def twice(**parameters: Any) -> Any:
        put(**parameters)
        return put(**parameters)

    ssm.put_parameter = twice  # type: ignore[method-assign]  # our fake
    assert begin(ssm).number == 1
    assert len(read(ssm)) == 1


def test_readers_find_releases_newer_than_an_outdated_pointer() -> None:
    ssm = Ssm()
    for _ in range(14):
        begin(ssm)
    ssm.values[releases.pointer("web")] = json.dumps({"number": 2})
    assert [one.number for one in read(ssm, 3)] == [12, 13, 14]


@pytest.mark.parametrize("pointer", [None, "{}", "nonsense", json.dumps({"number": 900})])
def test_without_a_pointer_that_can_be_trusted_all_names_are_walked(pointer: str | None) -> None:
    ssm = Ssm()
    for _ in range(14):
        end(ssm, begin(ssm))
    ssm.values.pop(releases.pointer("web"))
    if pointer is not None:
        ssm.values[releases.pointer("web")] = pointer
    assert [one.number for one in read(ssm, 3)] == [12, 13, 14]


def test_one_release_is_read_by_its_number() -> None:
    ssm = Ssm()
    for _ in range(30):
        begin(ssm)
    some = releases.read(cast(Any, ssm), "web", 1, (7,))
    assert [one.number for one in some] == [7, 30]


def test_reading_the_newest_takes_two_steps_however_many_there_are() -> None:
    ssm = Ssm()
    for _ in range(200):
        begin(ssm)
    ssm.calls.clear()
    read(ssm, 3)
    assert len(ssm.calls) <= 4 and "GetParametersByPath" not in ssm.calls


def test_a_ledger_that_was_deleted_begins_with_numbers_that_nobody_used() -> None:
    ssm = Ssm()
    for _ in range(3):
        end(ssm, begin(ssm))
    ssm.delete_parameters(Names=list(ssm.values))
    assert read(ssm) == ()
    assert begin(ssm).number == 4
    assert [one.number for one in read(ssm)] == [4]


def test_a_long_ledger_that_was_deleted_just_now_stops_no_roll() -> None:
    # Its names cannot be made again for 30 seconds: the command ended before its change.
    ssm = Ssm()
    for _ in range(60):
        begin(ssm)
    ssm.delete_parameters(Names=[releases.pointer("web")])
    for number in range(1, 61):
        ssm.delete_parameters(Names=[releases.path("web", number)])
    driven = Driven(ledger.begin(cast(Any, Writer(ssm)), "web", FACTS, now=START))
    assert driven.result.number == 0
    assert "this release is not in the history: no number" in driven.of(Notice)[0].text


@pytest.mark.parametrize("code", ["AccessDeniedException", "ParameterLimitExceeded"])
def test_without_access_to_the_ledger_the_roll_warns_and_goes_on(code: str) -> None:
    ssm = Ssm()

    def refuse(operation: str) -> None:
        if operation == "PutParameter":
            raise refused(code)

    ssm.before = refuse
    clients = cast(Any, Writer(ssm))
    driven = Driven(ledger.begin(clients, "web", FACTS, now=START))
    assert driven.result.number == 0
    assert "this release is not in the history" in driven.of(Notice)[0].text
    closed = Driven(ledger.end(clients, "web", driven.result, Outcome("deployed"), now=START))
    assert closed.of(Notice) == [] and closed.result.outcome == "deployed"


def test_silence_of_aws_is_an_outage_and_no_refusal() -> None:
    ssm = Ssm()

    def silent(operation: str) -> None:
        raise EndpointConnectionError(endpoint_url="x")

    ssm.before = silent
    with pytest.raises(EndpointConnectionError):
        begin(ssm)


def test_what_does_not_fit_into_4_kb_is_left_out_and_the_rest_is_kept() -> None:
    ssm = Ssm()
    many = {f"VARIABLE_{n}": "0123456789ab" for n in range(300)}
    text = "".join(f"{n} {hash((n, 'x'))}\n" for n in range(2000))
    begin(ssm, replace(FACTS, variables=many, caddyfile_text=text, why="x{{y}}" * 50))
    [kept] = read(ssm)
    assert kept.commit == FACTS.commit and kept.variables == {}


@pytest.mark.parametrize("value", ["nonsense", "[]", "null", "{}", "7", '"text"'])
def test_a_damaged_entry_is_reported_and_stops_nothing(value: str) -> None:
    ssm = Ssm()
    end(ssm, begin(ssm))
    ssm.values[releases.path("web", 2)] = value
    assert begin(ssm).number == 3
    first, damaged, newest = read(ssm)
    assert first.good and newest.running
    assert not (damaged.good or damaged.running or damaged.bad or damaged.readable)
    assert "holds no facts of a release" in damaged.reason


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [*ledger._FACTS, "begun", "caddyfile_text", "outcome", "of a later version"]
)
_END_NAMES = st.sampled_from(["outcome", "reason", "ended", "definition", "deployment"])


@given(st.dictionaries(_NAMES, _VALUES), st.dictionaries(_END_NAMES, _VALUES))
def test_whatever_kind_of_value_another_version_wrote_it_is_read(
    opened: dict[str, Any], closed: dict[str, Any]
) -> None:
    # `changed` with a number in it was a traceback in every command that looks at releases.
    ssm = Ssm()
    ssm.values[releases.path("web", 1)] = json.dumps(opened)
    ssm.values[releases.ending("web", 1)] = json.dumps(closed)
    [kept] = read(ssm)
    assert json.dumps(screen.fields(kept, running=False), default=str)
    assert [*screen._rows(kept, runs=True)] and kept.image == (
        opened.get("image") if isinstance(opened.get("image"), str) else ""
    )


@given(
    st.text(max_size=100),
    st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3),
)
def test_whatever_text_it_holds_is_read_back_as_it_was(
    text: str, variables: dict[str, str]
) -> None:
    ssm = Ssm()
    begin(ssm, replace(FACTS, commit=text, caddyfile_text=text, variables=variables))
    [kept] = read(ssm)
    assert (kept.commit, kept.caddyfile_text) == (text, text)
    assert kept.variables == variables


@settings(max_examples=200, deadline=None)
@given(
    order=st.lists(st.integers(0, 2), max_size=60),
    kill=st.dictionaries(st.integers(0, 2), st.integers(1, 8), max_size=3),
)
def test_no_release_is_lost_or_doubled_in_whatever_order_writers_come_and_are_killed(
    order: list[int], kill: dict[int, int]
) -> None:
    ssm = Ssm()

    def writer(number: int) -> Callable[[Callable[[str], None]], Release]:
        def work(hook: Callable[[str], None]) -> Release:
            mine = Hooked(ssm, hook)
            release = begin(mine, replace(FACTS, commit=f"c{number}"), f"w{number}")
            end(mine, release)
            return release

        return work

    results = Turns(order, kill).run(*(writer(number) for number in range(3)))
    kept = read(ssm)
    numbers = [one.number for one in kept]
    assert numbers == list(range(1, len(kept) + 1))
    assert len({one.token for one in kept}) == len(kept)
    for number, result in results.items():
        if isinstance(result, Release):
            assert [one for one in kept if one.commit == f"c{number}" and one.good]
        else:
            assert isinstance(result, Killed)
    # Whoever comes next takes the next number, and what was left open is seen as open.
    assert begin(ssm).number == len(kept) + 1
    assert all(one.good or one.running for one in read(ssm))
