"""Which release a rollback brings back, and what it says that it does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice
from opsctl.releases import closing, rollback
from opsctl.releases.rollback import Rollback, Target
from opsctl.releases.update_tasks import ReleaseResult
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.task_definitions import TaskDefinition
from tests.opsctl.releases.world import CONFIG, URI, Ecr
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.snapshots import NEW, OLD, START, Driven, deployment, event, snapshot, stack
from tests.opsctl.ssm import Ssm
from tests.opsctl.stacks.fake import Clients, CloudFormation


def digest(number: int) -> str:
    return f"sha256:{number:064}"


def image(number: int) -> str:
    return f"{URI}@{digest(number)}"


def release(number: int, of: int, outcome: str = "deployed", **more: Any) -> Release:
    return Release(number, START, image=image(of), outcome=outcome, before="a@b", **more)


def chosen(known: list[Release], running: int | None, number: int | None = None) -> int | None:
    at = next((one for one in known if one.number == running), None)
    found = rollback.choose(known, at, number)
    return found.number if found else None


def test_the_last_good_one_before_the_one_that_runs() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen(known, 3) == 2 and chosen(known, 3, 1) == 1


def test_bad_ones_and_those_of_the_same_image_are_passed_over() -> None:
    known = [release(1, 1), release(2, 2, "rolled-back"), release(3, 3), release(4, 3)]
    assert chosen(known, 4) == 1


def test_a_second_rollback_goes_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3), release(4, 2, back_to=2)]
    assert chosen(known, 4) == 1


def test_half_way_it_is_the_last_good_one_before_the_one_that_rolls() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "running")]
    assert chosen(known, 2) == 2


def test_one_that_failed_by_itself_needs_no_step_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "rolled-back")]
    assert chosen(known, 2) == 2


def test_a_rollback_that_failed_has_not_left_what_runs() -> None:
    # "release 4 failed, and release 3 runs again": nothing was rolled, and the exit code was 0.
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen([*known, release(4, 2, "failed", back_to=2)], 3) == 2
    assert chosen([*known, release(4, 2, "rolled-back", back_to=2)], 3) == 1
    assert chosen([*known, release(4, 1, "rolled-back", back_to=1)], 3) is None


def test_a_rollback_whose_command_was_killed_is_not_taken_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    left = release(4, 2, back_to=2, reason=f"{closing.LEFT}; release 2 runs")
    assert chosen([*known, left], 4) == 4
    assert chosen([*known, left, release(5, 5)], 5) == 4


def test_what_cannot_be_read_or_judged_is_no_failure() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen([*known, release(4, 4, "unreadable")], 3) == 2
    assert chosen([*known, release(4, 4, "an outcome of a later version")], 3) == 2
    with pytest.raises(OpsError, match="release 4 cannot be brought back"):
        chosen([*known, release(4, 4, "unreadable")], 3, 4)


def test_one_that_runs_unhealthy_is_left() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "deployed-unhealthy")]
    assert chosen(known, 3) == 2


def test_a_release_missing_in_the_ledger_counts_as_newer_than_all_in_it() -> None:
    # The newest release was passed over, because it was taken for the one that runs.
    assert chosen([release(1, 1), release(2, 2)], None) == 2
    assert chosen([release(1, 1), release(2, 2, "rolled-back")], None) == 1


def test_without_an_earlier_release_there_is_none_to_go_back_to() -> None:
    assert chosen([release(1, 1)], 1) is None and chosen([], None) is None
    with pytest.raises(OpsError, match="there is no release 9"):
        chosen([release(1, 1)], 1, 9)


def test_differences_that_a_rollback_does_not_revert_are_listed() -> None:
    then = release(1, 1, variables={"LEVEL": "a"}, secrets={"ssm:/t": "7"}, config="x", memory=300)
    definition = TaskDefinition(NEW, (image(3),), 512, 400, variables=(("LEVEL", "b"),))
    now = snapshot(
        deployment("d", NEW),
        task_definitions=(definition,),
        secret_versions=(SecretVersion("ssm:/t", "8"),),
    )
    told = " | ".join(one.text for one in rollback.stays(then, CONFIG, now))
    assert "LEVEL has another value" in told and "version 7 -> version 8" in told
    assert "ecs.memory 300 -> 400" in told and "opsctl.yaml has changed since then" in told


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

    def run(self, *answers: bool, number: int | None = None) -> Driven:
        clients = cast(Any, Clients(self.aws, ecr=self.ecr, ssm=self.ssm))
        back = Rollback(
            clients,
            CONFIG,
            Path("/nowhere"),
            number=number,
            sleep=lambda _: None,
            labels=lambda clients, image: {},
        )
        return Driven(back.run(), self.look, answers)


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
    lock = Lock("web-ecs", 1, who="a/bob", host="ci", process="q", until=START + timedelta(hours=1))
    world = World(locks={"ecs": lock})
    driven = world.run(True, True)
    assert (
        "somebody else changes the stack (`web-ecs` is locked by bob@ci)"
        in driven.questions[0].text
    )
    assert driven.result.kind == "deployed"


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
