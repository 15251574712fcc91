"""The start of an instance in its real order, what it signals, and where it can be read."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from opsctl_sandbox.cluster import instances, start
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.failures import Failure, Kind
from opsctl_sandbox.cluster.intents import WriteLog
from opsctl_sandbox.cluster.stacks import Done, Signals, group_done
from opsctl_sandbox.cluster.values import (
    GroupSpec,
    Instance,
    StartScript,
)
from tests.opsctl_sandbox.cluster.test_engine import HOUR

JOINED = StartScript(
    signal="joined", patience=300.0, last_words="this instance cannot start", stops_agent=True
)


def started(script: StartScript, *failures: Failure) -> tuple[Engine, Instance]:
    engine = Engine(1, failures=failures)
    engine.create_group(GroupSpec("asg", "c", 1, 0, 1, ("us-east-1a",), script=script))
    [instance] = engine.world.instances.values()
    return engine, instance


def history(engine: Engine, instance: Instance, until: float = 400.0) -> list[str]:
    """What happened, in order: it runs, it signalled, its agent joined."""
    seen: list[str] = []
    while engine.world.now < until:
        engine.advance(engine.world.now + 0.5)
        for word, there in (
            ("running", instance.state == "running"),
            ("signal", instance.signalled is not None),
            ("joined", instance.joined),
        ):
            if there and word not in seen:
                seen.append(word)
    return seen


def text(instance: Instance) -> str:
    return "\n".join(line for _, line in instance.console)


def test_a_script_that_signals_at_its_end_does_so_before_the_agent_starts() -> None:
    assert history(*started(StartScript(signal="script"))) == ["running", "signal", "joined"]


def test_a_script_that_waits_for_the_agent_signals_after_it_has_joined() -> None:
    assert history(*started(JOINED)) == ["running", "joined", "signal"]


def test_a_script_without_a_signal_joins_all_the_same() -> None:
    engine, instance = started(StartScript(signal="never"))
    assert history(engine, instance) == ["running", "joined"]
    group = engine.world.groups["asg"]
    late = group_done(engine.world, group, Signals(1, 300.0), 0.0)
    assert late == Done("Failed to receive 1 resource signal(s) within the specified duration")


def test_an_agent_that_never_joins_is_a_failure_only_where_the_script_waits_for_it() -> None:
    fails = Failure("instance-never-joins")
    engine, instance = started(JOINED, fails)
    assert history(engine, instance, 500.0) == ["running", "signal"]
    assert instance.signalled is False
    assert "this instance cannot start" in text(instance)

    engine, instance = started(StartScript(signal="script"), fails)
    assert history(engine, instance, 500.0) == ["running", "signal"]
    assert instance.signalled is True


@pytest.mark.parametrize(
    ("kind", "signalled", "words"),
    [
        ("start-script-cannot-download", None, "Cannot prepare internal mirrorlist"),
        ("signal-failure", False, "no such file"),
    ],
)
def test_a_script_that_fails_starts_no_agent_and_says_why_on_the_console(
    kind: Kind, signalled: bool | None, words: str
) -> None:
    lines = () if kind == "start-script-cannot-download" else ("no such file",)
    engine, instance = started(JOINED, Failure(kind, log_lines=lines))
    history(engine, instance)

    assert (instance.joined, instance.signalled) == (False, signalled)
    assert words in text(instance).partition("this instance cannot start")[2]
    sent = [i for i in engine.intents() if isinstance(i, WriteLog) and i.source == "start"]
    assert bool(sent) is (signalled is False), "without packages nothing sends a log"


@pytest.mark.parametrize(("first", "cluster"), [(True, "c"), (False, "default")])
def test_the_agent_starts_after_a_script_that_failed_unless_the_script_stops_it(
    first: bool, cluster: str
) -> None:
    script = replace(JOINED, stops_agent=False, configures_first=first)
    engine, instance = started(script, Failure("start-script-cannot-download"))
    history(engine, instance)
    assert (instance.joined, instance.cluster, instance.signalled) == (True, cluster, None)


def test_the_host_keys_come_on_the_console_after_what_the_script_says() -> None:
    script = replace(JOINED, last_of_all="that is all")
    engine, instance = started(script, Failure("signal-failure", log_lines=("no such file",)))
    history(engine, instance)
    told, _, later = (
        text(instance).partition("this instance cannot start")[2].partition("that is all")
    )
    assert "no such file" in told and "SSH HOST KEY" in later and "SSH" not in told


def test_an_instance_gives_up_at_its_deadline_after_the_boot() -> None:
    engine, instance = started(replace(JOINED, deadline=200.0), Failure("instance-never-joins"))
    assert history(engine, instance, 210.0) == ["running"]
    assert history(engine, instance, 240.0) == ["running", "signal"]


def gaps(engine: Engine, instance: Instance, seconds: Iterable[float]) -> int:
    """How often the agent was found away."""
    away = 0
    for at in seconds:
        engine.advance(at)
        away += instance.joined and not instance.agent_connected
    return away


def test_an_agent_ends_its_session_with_ecs_now_and_then_and_comes_back() -> None:
    engine, instance = started(JOINED)
    away = gaps(engine, instance, [at / 2 for at in range(int(2 * 4 * HOUR))])
    assert 0 < away < 200
    assert instance.agent_connected


def test_an_agent_that_a_failure_cut_off_does_not_come_back() -> None:
    engine, instance = started(JOINED, Failure("agent-disconnected", after=60.0))
    engine.advance(4 * HOUR)
    assert not instance.agent_connected
    start.connect_agent(engine.world, instance, True)
    assert instance.agent_connected


def test_an_instance_that_is_ended_while_it_starts_never_joins() -> None:
    engine, instance = started(JOINED)
    engine.advance(30.0)
    instances.terminate(engine.world, instance, "a user request")
    engine.advance(400.0)
    assert not instance.joined and instance.signalled is None
