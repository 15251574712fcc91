"""A rollback: what it cancels, follows, rolls and asks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Notice, Question
from opsctl.releases.rollback import Rollback
from opsctl.releases.target import Target
from opsctl.releases.update_tasks import ReleaseResult
from opsctl.snapshot import locks
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.stacks import lock
from tests.opsctl.releases.test_target import digest, image, release
from tests.opsctl.releases.world import CONFIG, Ecr
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.snapshots import NEW, OLD, START, Driven, deployment, event, snapshot, stack
from tests.opsctl.ssm import Ssm, Writer
from tests.opsctl.stacks.fake import Clients, CloudFormation

KNOWN = [release(n, n) for n in (1, 2, 3)]


class World:
    """A service that runs the image of release 3, and a registry that has `held`."""

    def __init__(self, *, held: tuple[int, ...] = (1, 2, 3), known: Any = None, **parts: Any):
        self.aws, self.ecr = CloudFormation(changes=()), Ecr()
        self.ecr.tags = {f"t{one}": digest(one) for one in held}
        self.known = known if known is not None else list(KNOWN)
        self.parts = parts
        self.ssm = Ssm()
        self.aws.describe_change_set = self._tasks  # type: ignore[method-assign]  # our fake
        self.cancelled = False
        cancel = self.aws.cancel_update_stack

        def cancelled(**parameters: Any) -> None:
            self.cancelled = True
            cancel(**parameters)

        self.aws.cancel_update_stack = cancelled  # type: ignore[method-assign]  # our fake

    def _tasks(self, **_: Any) -> Any:
        change = {
            "Action": "Modify",
            "LogicalResourceId": "Service",
            "ResourceType": "AWS::ECS::Service",
        }
        return {
            "Status": "CREATE_COMPLETE",
            "StackId": "arn:web-ecs",
            "Changes": [{"ResourceChange": change}],
        }

    def look(self, look: Look) -> Snapshot:
        rolled = bool(self.aws.executed)
        parameters = {"Image": image(3), "DesiredCount": "2"}
        status = self.parts.get("status", "UPDATE_COMPLETE")
        state = stack(
            "ecs",
            "UPDATE_ROLLBACK_COMPLETE" if self.cancelled else status,
            parameters=parameters,
            outputs={"TaskDefinitionArn": OLD, "ConfiguredCount": "2"},
        )
        target = self.parts.get("target", 2)
        definitions = (
            TaskDefinition(OLD, (image(3),), 512, 400),
            TaskDefinition(NEW, (image(target),), 512, 400),
        )
        parts: dict[str, Any] = {
            "stacks": {"ecs": state},
            "task_definitions": definitions,
            "releases": tuple(self.known),
            "instances": INSTANCES,
            "revisions": self.parts.get("revisions", ()),
            # Theirs, until ours was made.
            "locks": {} if self.ssm.values else self.parts.get("locks", {}),
        }
        if look.events_of:
            ended = (
                "UPDATE_ROLLBACK_COMPLETE" if self.cancelled and not rolled else "UPDATE_COMPLETE"
            )
            parts["events"] = (event("e1", ended),)
        live = deployment("d2", NEW) if rolled else deployment("d1", OLD)
        return snapshot(live, **parts)

    def rollback(self, number: int | None = None) -> Rollback:
        clients = cast(Any, Clients(self.aws, ecr=self.ecr, ssm=self.ssm))
        return Rollback(
            clients,
            CONFIG,
            Path("/nowhere"),
            number=number,
            sleep=lambda _: None,
            labels=lambda clients, image: {},
        )

    def run(self, *answers: bool, number: int | None = None) -> Driven:
        return Driven(self.rollback(number).run(), self.look, answers)


def test_it_rolls_the_image_of_then_without_a_template_or_an_engine() -> None:
    world = World()
    driven = world.run(True)
    assert driven.result == Outcome("deployed")
    [target] = driven.of(Target)
    assert target.name == "release 2" and target.running is not None
    [result] = driven.of(ReleaseResult)
    assert result.image.reference == image(2) and result.number == 1
    assert len(driven.questions) == 1


BACK = replace(
    release(4, 2, "running", back_to=2, who="a/bob", before_deployment="d1"), before=image(3)
)


def test_a_rollback_that_somebody_else_began_is_followed_and_goes_no_further_back() -> None:
    # Two people, one thought: the second command cancelled the first, and went to release 1.
    world = World(known=[*KNOWN, BACK], status="UPDATE_IN_PROGRESS", target=2)
    look: Callable[[Look], Snapshot] = world.look

    def ended(look_at: Look) -> Snapshot:
        now = look(look_at)
        if look_at.events_of:  # whoever follows sees its end
            world.known[-1] = replace(BACK, outcome="deployed")
            world.parts["status"] = "UPDATE_COMPLETE"
        return now

    world.look = ended  # type: ignore[method-assign, assignment]  # our fake
    driven = world.run()
    assert driven.result == Outcome("deployed") and driven.questions == []
    assert "release 4 by bob goes back to release 2 already" in driven.of(Notice)[0].text
    assert not world.cancelled and world.aws.executed == []
    [result] = driven.of(ReleaseResult)
    assert (result.number, result.image.reference) == (4, image(2))


def test_a_rollback_that_was_killed_before_its_change_is_made_again() -> None:
    world = World(known=[*KNOWN, BACK])
    driven = world.run(True)
    assert driven.result == Outcome("deployed")
    assert driven.of(Target)[0].name == "release 2" and len(world.aws.executed) == 1
    assert any("before anything was changed" in one.text for one in driven.of(Notice))


def test_a_release_that_is_named_is_gone_back_to_whatever_others_do() -> None:
    world = World(known=[*KNOWN, BACK], status="UPDATE_IN_PROGRESS", target=1)
    driven = world.run(True, True, number=1)
    assert world.cancelled and driven.of(Target)[0].name == "release 1"


def test_an_image_that_is_gone_names_the_older_one_that_is_there() -> None:
    with pytest.raises(OpsError, match=r"release 2 .* that of release 1 is") as caught:
        World(held=(1, 3)).run(True)
    assert caught.value.hint == "opsctl rollback 1"
    with pytest.raises(OpsError, match="nor any older one"):
        World(held=(3,)).run(True)


def test_a_roll_that_is_under_way_is_cancelled_after_a_yes() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3), release(4, 4, "running")]
    world = World(known=known, status="UPDATE_IN_PROGRESS", target=3)
    driven = world.run(True, True)
    assert world.cancelled and "cancel that, and go back to release 3" in driven.questions[0].text
    # Its command lives, so it did not "end before its outcome was known".
    closed = world.ssm.values["/opsctl/web/releases/000004/outcome"]
    assert "taken over by ann@laptop: update-tasks; " in closed


def test_a_no_cancels_nothing() -> None:
    world = World(status="UPDATE_IN_PROGRESS")
    driven = world.run(False)
    assert driven.result.kind == "cancelled" and not world.cancelled


def test_the_lock_of_a_command_that_only_builds_is_taken_after_a_question() -> None:
    theirs = Lock(
        "web-ecs", 1, who="a/bob", host="ci", process="q", until=START + timedelta(hours=1)
    )
    world = World(locks={"ecs": theirs})
    driven = world.run(True, True)
    assert (
        "somebody else changes the stack (`web-ecs` is locked by bob@ci)"
        in driven.questions[0].text
    )
    assert driven.result.kind == "deployed"


def test_a_command_that_begins_while_the_question_is_open_is_asked_about_before_it_is_stopped() -> (
    None
):
    world = World(status="UPDATE_IN_PROGRESS")
    carol = cast(Any, Writer(world.ssm, "carol"))
    look = world.look
    questions: list[str] = []

    def seen(wanted: Look) -> Snapshot:
        kept = locks.read(cast(Any, world.ssm), "web", "web-ecs")
        return replace(look(wanted), locks={"ecs": kept[-1]} if kept else {})

    def answer(question: Question) -> bool:
        if not questions:
            Driven(lock.take(carol, "ecs", "web-ecs", now=world.ssm.now))
        questions.append(question.text)
        return len(questions) == 1

    driver = Driver(world.rollback().run(), look=seen, sleep=lambda _: None)
    for item in driver:
        if isinstance(item, Question):
            driver.answer(answer(item))
    assert [("carol" in text) for text in questions] == [False, True]
    assert driver.result.kind == "cancelled" and not world.cancelled


def test_without_a_ledger_the_task_definition_before_is_taken() -> None:
    revisions = tuple(
        TaskDefinition(f"arn:task-definition/web:{n}", (image(n),)) for n in (3, 2, 1)
    )
    live = "arn:aws:ecs:us-east-1:1:task-definition/web:3"
    world = World(known=[], revisions=revisions)
    look: Callable[[Look], Snapshot] = world.look

    def third(look_at: Look) -> Snapshot:
        now = look(look_at)
        if world.aws.executed or now.service is None:
            return now
        renamed = tuple(
            replace(one, arn=live) if one.arn == OLD else one for one in now.task_definitions
        )
        deployments = (replace(now.service.deployments[0], task_definition=live),)
        service = replace(now.service, deployments=deployments, task_definition=live)
        return replace(now, service=service, task_definitions=renamed)

    world.look = third  # type: ignore[method-assign, assignment]  # our fake
    driven = world.run(True)
    assert driven.of(Target)[0].name == "the image of web:2"
    assert any("whether it was good is not known" in one.text for one in driven.of(Notice))


def test_without_a_service_there_is_nothing_to_roll_back() -> None:
    world = World()
    world.look = lambda look: snapshot(stacks={})  # type: ignore[method-assign]  # our fake
    with pytest.raises(OpsError, match="there is no service `web`"):
        world.run()


def test_a_service_that_somebody_deleted_is_made_again_before_anything_goes_back() -> None:
    world = World()
    released = stack("ecs", "UPDATE_COMPLETE", parameters={"Image": "repository@sha256:1"})
    gone = snapshot(stacks={"ecs": released})
    world.look = lambda look: gone  # type: ignore[method-assign]  # our fake
    with pytest.raises(OpsError, match="somebody deleted it") as caught:
        world.run()
    assert caught.value.hint == "opsctl ecs up --revert-drift"
