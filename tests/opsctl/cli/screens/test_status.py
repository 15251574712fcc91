"""The status screen in every condition: it fits, it says what is, and never empties."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from opsctl.aws import FailedCall
from opsctl.cause import rank
from opsctl.cause.history import History
from opsctl.cause.looks import STATUS
from opsctl.cli import status as command
from opsctl.cli.screens import status, status_rows
from opsctl.cli.screens.console import Console
from opsctl.snapshot.alarms import AlarmState
from opsctl.snapshot.cache import Cache, CacheNode
from opsctl.snapshot.cache_use import CacheUse
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.instances import ContainerInstance, Group, GroupInstance
from opsctl.snapshot.mute_rules import MuteRule
from opsctl.snapshot.releases import Release
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.snapshot import Look, Names, Part, Snapshot, Unread
from opsctl.snapshot.targets import Target
from opsctl.snapshot.tasks import Container, Task
from tests.opsctl.snapshots import NEW, OLD, START, config, deployment, service, snapshot, stack

INSTANCES = tuple(
    ContainerInstance(f"arn:{n}", f"i-{n}", "ACTIVE", True, 2048, 6000, whole_cpu=4096,
                      whole_memory=15000, zone=f"us-east-1{zone}", running=4)
    for n, zone in enumerate("ab")
)  # fmt: skip
GROUP = Group("g", 0, 3, 2, tuple(GroupInstance(one.id) for one in INSTANCES))
TASKS = tuple(
    Task(f"{n}abcdef0123", "RUNNING", OLD, "d1", f"arn:{n % 2}", f"us-east-1{'ab'[n % 2]}",
         started=START)
    for n in range(8)
)  # fmt: skip
STACKS = {
    "db": stack("db", "CREATE_COMPLETE", changed=START),
    "ecs": stack("ecs", "UPDATE_COMPLETE", changed=START, parameters={"DesiredCount": "8"}),
}
CACHE = Cache("web-redis", "cluster", "available", "redis", "7.1", nodes=(CacheNode("web-redis"),))


def healthy(**parts: Any) -> Snapshot:
    whole = service(deployment("d1", OLD, desired=8, running=8), desired=8)
    targets = tuple(Target(f"i-{n % 2}:{n}", "healthy", zone=f"us-east-1{'ab'[n % 2]}")
                    for n in range(8))  # fmt: skip
    values: dict[str, Any] = {
        "service": whole,
        "tasks": TASKS,
        "targets": targets,
        "instances": INSTANCES,
        "group": GROUP,
        "stacks": STACKS,
        "cache": CACHE,
        "cache_use": CacheUse(41.0, 212.0),
        "alarms": (AlarmState("web-healthy-hosts", "OK"),),
        "identity": Identity("123456789012", "arn:x", "eu-central-1"),
        "look": STATUS,
    }
    return snapshot(**{**values, **parts}, seconds=600)


def shown(now: Snapshot, width: int = 80, lines: int = 40) -> list[str]:
    causes = rank.rank(History.of([now]))
    return status.screen(now, causes, Console(plain=True), width=width, lines=lines)


def row(now: Snapshot, label: str) -> str:
    return next(line for line in shown(now) if line.startswith(label))


def check(now: Snapshot) -> str:
    return status.health(now, rank.rank(History.of([now])))[0]


def test_a_healthy_system_is_said_first_and_fits() -> None:
    screen = shown(healthy())
    assert screen[0].startswith("web · 123456789012 · eu-central-1")
    assert screen[0].endswith("12:10:00 UTC")
    assert screen[2] == "● nothing wrong that can be seen"
    assert len(screen) <= 40 and max(map(len, screen)) <= 80
    assert row(healthy(), "targets") == "targets    ● 8 healthy (1a 4, 1b 4)"
    assert "room for 8 more tasks" in row(healthy(), "instances")
    assert row(healthy(), "cache").endswith("● 41 % memory  ● 212 connections")
    assert check(healthy()) == "healthy"


def test_nothing_deployed_names_where_it_was_looked_for() -> None:
    names = replace(Names.of(config("aws.account='999999999999'", "aws.region=us-west-2")))
    identity = Identity("999999999999", "arn:x", "us-west-2")
    now = Snapshot(START, names, STATUS, identity=identity)
    screen = "\n".join(shown(now))
    assert "no system called `web` here (999999999999, us-west-2)" in screen
    assert "opsctl db up" in screen and check(now) == "unknown"


def test_credentials_of_another_account_are_shown_first() -> None:
    names = Names.of(config("aws.account='999999999999'"))
    now = replace(healthy(), names=names)
    assert "wrong account: these credentials are of 123456789012, the config says 999999999999" in (
        " ".join(" ".join(shown(now)[2:4]).split())
    )
    assert check(now) == "unknown"


def test_half_deployed_is_degraded_and_says_what_is_missing() -> None:
    now = healthy(stacks={"db": STACKS["db"]}, service=None, tasks=(), targets=(), instances=(),
                  group=None, alarms=())  # fmt: skip
    assert "○ ecs missing (web-ecs)" in row(now, "stacks")
    assert shown(now)[2:4] == ["◐ not whole: there is no service", "  → opsctl ecs up"]
    assert check(now) == "degraded"


def test_without_a_look_at_the_targets_the_tasks_alone_count() -> None:
    now = healthy(targets=(), unread=(Unread("targets", "AWS refused DescribeTargetHealth"),))
    assert "● 8 of 8 tasks" in row(now, "service")


def test_the_next_command_is_never_cut_off() -> None:
    refused = FailedCall(
        "ecs:ListContainerInstances", "refused", "AccessDeniedException", "no", 1, START
    )
    lines = shown(healthy(failed_calls=(refused,)))
    assert "check: aws sts get-caller-identity" in " ".join(" ".join(lines[2:6]).split())
    assert max(map(len, lines)) <= 80


def test_a_roll_shows_how_far_it_is() -> None:
    rolling = service(
        deployment("d2", NEW, desired=8, running=4, pending=2, state="IN_PROGRESS"),
        deployment("d1", OLD, primary=False, running=4),
        desired=8,
    )
    now = healthy(service=rolling)
    assert "◐ web:2 4 of 8 new" in row(now, "service")
    assert check(now) == "healthy"


def test_a_deployment_that_was_rolled_back_leaves_a_healthy_service() -> None:
    died = Task("dead", "STOPPED", NEW, "d2", stop_code="EssentialContainerExited",
                containers=(Container("web", 3),), stopped=START + timedelta(minutes=9),
                created=START)  # fmt: skip
    back = {**STACKS, "ecs": stack("ecs", "UPDATE_ROLLBACK_COMPLETE", changed=START)}
    now = healthy(tasks=(*TASKS, died), stacks=back)
    assert "the last deployment failed: container `web` exited 3" in shown(now)[2]
    assert "✗ 1 stopped in 10 m (1 exited 3)" in row(now, "tasks")
    assert check(now) == "healthy"


def test_missing_instances_are_reported() -> None:
    now = healthy(instances=(replace(INSTANCES[0], connected=False),))
    assert row(now, "instances").startswith("instances  ✗ 0 of 2 joined  ✗ 1 disconnected")
    assert check(now) == "degraded"


def test_a_cache_that_is_gone_is_wrong_now() -> None:
    now = healthy(cache=None)
    assert row(now, "cache") == "cache      ✗ no cache"
    assert "wrong now: there is no cache" in shown(now)[2]
    assert check(now) == "degraded"


def test_an_alarm_that_rings_says_since_when() -> None:
    ringing = AlarmState("web-healthy-hosts", "ALARM", "below 8", START)
    now = healthy(alarms=(ringing,))
    assert row(now, "alarms") == "alarms     ✗ healthy-hosts rings for 10 m  ● 0 quiet"
    assert check(now) == "degraded"


def test_alarms_that_are_muted_say_until_when_and_by_which_rule() -> None:
    ringing = AlarmState("web-service-cpu", "ALARM", "above 80", START)
    rule = MuteRule("web-roll-1", ("web-service-cpu",), START + timedelta(minutes=20))
    now = healthy(alarms=(ringing,), mute_rules=(rule,))
    assert row(now, "alarms") == (
        "alarms     ✗ service-cpu rings for 10 m, muted  ○ 1 muted until 12:20Z by web-r…"
    )
    again = healthy(mute_rules=(MuteRule("nightly", ("web-healthy-hosts",)),))
    assert row(again, "alarms") == "alarms     ○ 1 muted by nightly  ● 1 quiet"


SHOWN: tuple[Part, ...] = tuple(
    part for row in status_rows.ROWS for part in row.parts if part in get_args(Part)
)


@pytest.mark.parametrize("part", sorted(set(SHOWN)))
def test_a_part_that_is_refused_says_so_in_its_line_and_nothing_else_is_lost(part: Part) -> None:
    refused = Unread(part, "AWS refused Describe (AccessDenied)", None, "Describe", "AccessDenied")
    denied = FailedCall("x:Describe", "refused", "AccessDenied", "no", 1, START)
    empty = Snapshot(START, healthy().names)
    now = replace(healthy(), **{part: getattr(empty, part)}, unread=(refused,),
                  failed_calls=(denied,))  # fmt: skip
    screen = shown(now)
    line = next(line for line in screen if "not readable: " in line)
    owner = next(row for row in status_rows.ROWS if part in row.parts)
    said = "Describe is denied" if part == owner.parts[0] else part.replace("_", " ")
    assert line.startswith(owner.label) and f"not readable: {said}" in line
    labels = {line.split()[0] for line in screen if line}
    assert {row.label for row in status_rows.ROWS} <= labels
    assert max(map(len, screen)) <= 80 and len(screen) <= 40
    judged = part not in ("task_definitions", "machine_images", "newest_image", "cache_use",
                          "mute_rules", "releases")  # fmt: skip
    assert check(now) == ("unknown" if judged else "healthy")
    assert screen[2].startswith("○ cannot tell: " if judged else "○ worth knowing: ")


def test_what_is_wrong_comes_before_what_cannot_be_read() -> None:
    half = service(deployment("d1", OLD, desired=8, running=4), desired=8)
    refused = Unread("alarms", "no", None, "DescribeAlarms", "AccessDenied")
    now = healthy(service=half, targets=(), alarms=(), unread=(refused, Unread("targets", "no")))
    assert status.health(now, ()) == ("degraded", "4 of 8 tasks run")
    assert status.health(healthy(unread=(refused,), alarms=()), ()) == (
        "unknown",
        "not readable: alarms (DescribeAlarms is denied); 8 of 8 tasks run, 8 targets are healthy",
    )


def test_without_credentials_nothing_is_called_healthy() -> None:
    why = "there are no AWS credentials"
    unread = tuple(
        Unread(part, why, "set AWS_PROFILE", cause="credentials-refused")
        for part in sorted(STATUS.parts)
    )
    now = Snapshot(START, healthy().names, STATUS, unread=unread)
    screen = shown(now)
    assert screen[2:4] == [f"✗ wrong now: {why}", "  → set AWS_PROFILE · opsctl why"]
    assert now.blind and status.health(now, ()) == ("unknown", f"nothing can be read: {why}")


def test_many_parts_that_cannot_be_read_still_fit_into_the_line() -> None:
    unread = tuple(Unread(part, "no") for part in sorted(STATUS.parts - {"service", "stacks"}))
    now = healthy(unread=unread)
    assert not now.blind
    assert max(map(len, shown(now))) <= 80


def test_five_hundred_tasks_fit_newest_and_failed_first() -> None:
    many = tuple(
        Task(f"{n:08x}", "RUNNING", OLD, "d1", "arn:0", "us-east-1a",
             started=START, created=START + timedelta(seconds=n))
        for n in range(500)
    )  # fmt: skip
    died = Task("deadbeef", "STOPPED", NEW, "d2", stop_code="TaskFailedToStart", stopped=START)
    screen = shown(healthy(tasks=(*many, died)))
    assert len(screen) <= 40
    table = screen[[line.startswith("TASK") for line in screen].index(True) :]
    assert table[1].startswith("deadbeef") and "could not start" in table[1]
    assert table[2].startswith("000001f3")
    assert any(line.startswith("…") and "more tasks" in line for line in screen)


@pytest.mark.parametrize(("width", "lines"), [(60, 10), (60, 40), (120, 24), (80, 12)])
def test_it_fits_every_terminal(width: int, lines: int) -> None:
    screen = shown(healthy(), width, lines)
    assert len(screen) <= lines and max(map(len, screen)) <= width


@pytest.mark.parametrize(
    ("release", "told"),
    [
        (
            Release(
                42, START, who="arn:aws:iam::1:user/ops", commit="9f3c1e2aaaa", why="bigger pool"
            ),
            "release    ◐ 42 by ops · rolling since 10 m · 9f3c1e2 “bigger pool”",
        ),
        (
            Release(41, START, outcome="rolled-back", ended=START + timedelta(minutes=6)),
            "release    ✗ 41 · rolled back 4 m 0 s ago",
        ),
        (
            Release(3, START, image="x/web@sha256:46a3f9620001", outcome="deployed", ended=START),
            "release    ● 3 · deployed 10 m ago · web@sha256:46a3f962",
        ),
    ],
)
def test_the_last_release_is_named_with_who_when_and_how_it_ended(
    release: Release, told: str
) -> None:
    lines = shown(healthy(releases=(release,)))
    assert any(line.startswith(told) for line in lines), lines


def test_on_a_low_screen_the_tables_give_way_and_say_so() -> None:
    low = shown(healthy(), 80, 23)
    assert len(low) == 23 and low[2].startswith("● nothing wrong")
    assert any(line == "…4 more tasks" for line in low) and low[-1].startswith("i-1")
    lowest = shown(healthy(), 80, 16)
    assert lowest[12:] == ["…8 tasks", "…2 instances"]


def test_a_part_of_the_screen_reads_the_stacks_to_know_what_is_missing() -> None:
    class Fake:
        console = Console(plain=True)

        def quick_reader(self, look: Look) -> Snapshot:
            assert {"stacks", "cache"} <= look.parts
            return healthy(cache=None)

    invocation: Any = Fake()
    command.show_part(invocation, ("cache",))


def test_many_failed_tasks_do_not_hide_those_that_run() -> None:
    failed = tuple(
        Task(f"{n:02}dead00", "STOPPED", OLD, "d1", stop_code="EssentialContainerExited",
             containers=(Container("web", 3),), stopped=START)
        for n in range(30)
    )  # fmt: skip
    screen = shown(healthy(tasks=(*failed, *TASKS)))
    assert sum("exited 3" in line and "dead" in line for line in screen) < 15
    assert sum("● running" in line for line in screen) == 8 and len(screen) <= 40


def test_tasks_that_keep_ending_are_degraded_although_each_was_replaced() -> None:
    own = replace(deployment("ecs-svc/2", OLD, desired=8, running=8), created=START)
    ended = tuple(
        Task(f"{n}dead000", "STOPPED", OLD, own.id, stop_code="EssentialContainerExited",
             containers=(Container("web", 137, "OutOfMemoryError: killed"),), created=START,
             stopped=START + timedelta(seconds=100 * n))
        for n in range(2, 6)
    )  # fmt: skip
    done = ServiceDeployment("x/a", "SUCCESSFUL", finished=START, revision="r/2")
    now = healthy(tasks=(*ended, *TASKS), service=service(own, desired=8),
                  service_deployments=(done,))  # fmt: skip
    assert check(now) == "degraded" and "needs more memory" in "".join(shown(now)[2:4])
    assert check(replace(now, tasks=(*ended[:1], *TASKS))) == "healthy"
