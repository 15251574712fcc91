"""What the recorder costs: the same looks and the same calls of AWS with it and without it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.cause.looks import EVERYTHING
from opsctl.cli import Terminated, recording, run
from opsctl.cli.screens.console import Console
from opsctl.outcome import Outcome
from opsctl.procedure import explained
from opsctl.recorder import Recorder
from opsctl.recording import Begun, Recording
from opsctl.rollout import ecs, roll
from opsctl.rollout.instances import Machine, Step
from opsctl.rollout.plan import Order
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import change, definition
from tests.opsctl.rollout import test_ecs, test_roll
from tests.opsctl.rollout.test_plan import CONFIG, STEADY, state
from tests.opsctl.snapshots import NAMES, NEW_IMAGE, config, event, happened, stacks
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal

Case = tuple[Any, Callable[[Look], Snapshot], Callable[[], list[str]]]


def in_turn(*snapshots: Snapshot) -> Callable[[Look], Snapshot]:
    waiting = list(snapshots)
    return lambda look: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def db_up(end: str = "CREATE_COMPLETE") -> Case:
    aws = CloudFormation()
    clients = cast(Any, Clients(aws))
    procedure = change.up(clients, definition.db(config()), bucket=None, sleep=lambda _: None)
    return procedure, in_turn(stacks(), happened(event("e1", end))), lambda: aws.calls


def ecs_up() -> Case:
    """It replaces the instances, too."""
    older = Machine("ami-1", "t3.large", test_ecs.NOW.hash)
    world = test_ecs.World(old=older, changes=("Topic",))
    procedure = ecs.up(world.clients, test_ecs.CONFIG, ecs.Options())
    return procedure, world.look, lambda: [*world.cloudformation.calls, *world.fleet.calls]


def update_tasks(*ends: Snapshot) -> Case:
    aws, service = test_roll.Stacks(), test_roll.Ecs()
    clients, order = cast(Any, Clients(aws, ecs=service)), Order(NEW_IMAGE)

    def procedure() -> Any:
        plan = yield from roll.look(CONFIG, state(), order)
        made = yield from roll.roll(clients, CONFIG, state(), plan, order, sleep=lambda _: None)
        return (yield from explained(made))

    at = test_roll.at
    ends = ends or (at(test_roll.DONE, 2, test_roll.ENDED), at(test_roll.DONE, 3))
    looks = in_turn(STEADY, at(test_roll.ROLLING, 1), *ends)
    return procedure(), looks, lambda: [*aws.calls, *map(str, service.updates), *service.stopped]


class Ran:
    """One procedure, run as a command line does; what it looked at, called and wrote."""

    def __init__(self, case: Case, folder: Path | None) -> None:
        procedure, look, calls = case
        self.looks: list[Look] = []

        def reader(wanted: Look) -> Snapshot:
            self.looks.append(wanted)
            return look(wanted)

        clients = SimpleNamespace(briefly=_nothing, left=[])
        recorder = None
        if folder is not None:
            recorder = Recorder(folder, Begun("update-tasks --yes", "web"), NAMES)
        invocation: Any = SimpleNamespace(
            recorder=recorder, words=["status"], planning=False, console=Console(plain=True),
            reader=reader, sleep=lambda _: None, clients=clients,
        )  # fmt: skip
        self.outcome: Outcome = run.run(invocation, procedure, answers=run.Answers(yes=True))
        self.calls = calls()
        self.recording: Recording | None = None
        if recorder is not None and recorder.path is not None:
            recorder.close("done")
            self.recording = Recording.read(recorder.path.read_text().splitlines())


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("case", [db_up, ecs_up, update_tasks])
def test_recording_asks_aws_for_nothing(case: Callable[[], Case], tmp_path: Path) -> None:
    without, recorded = Ran(case(), None), Ran(case(), tmp_path)
    assert recorded.looks == without.looks and recorded.calls == without.calls
    assert recorded.looks and recorded.calls
    assert recorded.recording is not None
    assert recorded.recording.snapshots and recorded.recording.items


def _failing() -> Iterator[Callable[[], Case]]:
    yield lambda: db_up("ROLLBACK_COMPLETE")
    back = test_roll.at(test_roll.FAILED, 2, test_roll.BACK)
    yield lambda: update_tasks(back, test_roll.at(test_roll.FAILED, 3))


@pytest.mark.parametrize("case", list(_failing()))
def test_a_failure_costs_the_one_look_that_its_screen_shows(
    case: Callable[[], Case], tmp_path: Path
) -> None:
    without, recorded = Ran(case(), None), Ran(case(), tmp_path)
    assert recorded.outcome.kind == without.outcome.kind != "deployed"
    assert recorded.looks == [*without.looks, EVERYTHING]
    assert recorded.calls == without.calls


def test_a_command_that_is_ended_by_a_signal_says_what_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    procedure, looks, calls = db_up()
    first = looks

    def look(wanted: Look) -> Snapshot:
        if wanted.events_of:  # the change runs
            raise Terminated(15)
        return first(wanted)

    with pytest.raises(Terminated):
        Ran((procedure, look, calls), None)
    assert "this continues in AWS: the same command joins it" in capsys.readouterr().err


@pytest.mark.parametrize("error", [Terminated(15), refusal("Drain", "ExpiredTokenException")])
def test_what_ends_a_roll_between_two_looks_says_what_stops(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    procedure, look, calls = ecs_up()

    def steps() -> Any:
        answer = None
        while True:
            item = procedure.send(answer)
            if isinstance(item, Step) and item.action == "drain":
                raise error
            answer = yield item

    with pytest.raises(type(error)):
        Ran((steps(), look, calls), None)
    assert "this stops half-way: the same command goes on from there" in capsys.readouterr().err


def test_a_command_whose_recording_ends_early_says_so_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path, Begun("update-tasks", "web"), NAMES)
    recorder._give_up(OSError(28, "No space left on device"))
    invocation = SimpleNamespace(
        recorder=recorder, console=Console(plain=True), failed_calls=lambda: ()
    )
    recording.end(cast(Any, invocation), "done")
    assert "the recording ends early" in (said := capsys.readouterr().err)
    assert "No space left on device" in said
