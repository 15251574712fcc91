"""A restart: new tasks of what runs, as a release of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Overtaken
from opsctl.releases.difference import Difference
from opsctl.releases.make import Caddyfile
from opsctl.releases.target import choose
from opsctl.releases.update_tasks import ReleaseResult
from opsctl.rollout.plan import RollPlan
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.releases.test_target import image, release
from tests.opsctl.releases.world import DB, DIGEST, ECS, URI, World
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.snapshots import OLD, START, Driven, deployment, service, snapshot

IMAGE = f"{URI}@{DIGEST}"
OTHER = f"sha256:{'5' * 64}"


class Restart(World):
    """A service that runs DIGEST; `updates` are the deployments that were forced."""

    def __init__(self, root: Path, **parts: Any) -> None:
        super().__init__(root, held=True, restart=True)
        self.updates: list[dict[str, Any]] = []
        self.state = replace(ECS, parameters={**ECS.parameters, "Image": IMAGE})
        self.parts = parts

    def update_service(self, **parameters: Any) -> None:
        self.updates.append(parameters)

    def restart(self, *answers: bool) -> Driven:
        return Driven(self.release(ecs=self).run(), self._now, answers)

    def preview(self) -> Driven:
        return Driven(self.release(ecs=self).preview(), self._now)

    def _now(self, look: Look) -> Snapshot:
        found = super()._look("UPDATE_COMPLETE")(look)
        definition = replace(found.task_definitions[0], images=(self.state.parameters["Image"],))
        now = snapshot(
            deployment("d2" if self.updates else "d1", OLD),
            seconds=len(self.updates) * 5,
            stacks={"ecs": self.state, "db": DB},
            instances=INSTANCES,
            releases=found.releases,
            locks=found.locks,
            task_definitions=(definition,),
        )
        return replace(now, **self.parts)


def test_new_tasks_of_what_runs_are_a_release(tmp_path: Path) -> None:
    world = Restart(tmp_path)
    driven = world.restart(True)
    assert driven.result.kind == "deployed" and not driven.of(Caddyfile)
    assert [one.text for one in driven.questions] == ["restart `web`?"]
    [update] = world.updates
    assert update["forceNewDeployment"] and update["desiredCount"] == 2
    [kept] = world.history()
    assert (kept.outcome, kept.image, kept.changed) == ("deployed", IMAGE, ("restart",))
    assert world.engine.done == [] and world.aws.executed == [] and not world.locked()


def test_a_restart_of_what_was_rolled_back_to_is_no_rollback(tmp_path: Path) -> None:
    # It was taken for one under way, so that a rollback followed it and went nowhere.
    back = replace(release(4, 2, back_to=2), image=IMAGE)
    world = Restart(tmp_path, releases=(release(2, 2), release(3, 3), back))
    world.restart(True)
    [kept] = world.history()
    assert kept.changed == ("restart",) and kept.back_to == 0


def test_after_a_no_no_task_was_started(tmp_path: Path) -> None:
    world = Restart(tmp_path)
    assert world.restart(False).result.kind == "cancelled"
    assert world.updates == [] and world.history() == ()


def test_a_dry_run_says_that_new_tasks_would_start(tmp_path: Path) -> None:
    world = Restart(tmp_path)
    driven = world.preview()
    assert driven.result is True and driven.of(RollPlan)[0].way == "deployment"
    assert world.updates == [] and driven.questions == []


def test_a_secret_that_comes_with_the_new_tasks_is_named(tmp_path: Path) -> None:
    known = Release(1, START, image=IMAGE, outcome="deployed", secrets={"ssm:/token": "7"})
    versions = (SecretVersion("ssm:/token", "8", START),)
    driven = Restart(tmp_path, releases=(known,), secret_versions=versions).preview()
    [found] = driven.of(Difference)
    assert found.reasons == ("secrets: ssm:/token: version 7 -> version 8",)


def test_a_release_made_during_the_question_is_restarted_and_not_reverted(
    tmp_path: Path,
) -> None:
    world = Restart(tmp_path)
    world.ecr.tags["theirs"] = OTHER
    theirs = replace(world.state, parameters={**ECS.parameters, "Image": f"{URI}@{OTHER}"})
    looks: list[Look] = []

    def now(look: Look) -> Snapshot:
        looks.extend([look] * ("instances" in look.parts))
        # What changed, the room for it, and a last look: the question lies before the last one.
        world.state = theirs if len(looks) >= 3 else world.state
        return world._now(look)

    driven = Driven(world.release(ecs=world).run(), now, (True, True))
    assert driven.result.kind == "deployed" and len(driven.of(Overtaken)) == 1
    assert driven.of(ReleaseResult)[0].image.reference == f"{URI}@{OTHER}"
    assert [one.image for one in world.history()] == [f"{URI}@{OTHER}"]


def test_a_release_made_during_planning_is_restarted_and_not_reverted(
    tmp_path: Path,
) -> None:
    # It looked, waited for a release to end, and brought back the image that it had looked at.
    world = Restart(tmp_path)
    world.ecr.tags["theirs"] = OTHER
    theirs = replace(world.state, parameters={**ECS.parameters, "Image": f"{URI}@{OTHER}"})
    settled: list[Look] = []

    def now(look: Look) -> Snapshot:
        settled.extend([look] * (look.parts == {"stacks", "locks"}))
        world.state = theirs if len(settled) >= 2 else world.state
        return world._now(look)

    driven = Driven(world.release(ecs=world).run(), now, (True, True))
    assert driven.result.kind == "deployed" and world.aws.executed == []
    assert [one.image for one in world.history()] == [f"{URI}@{OTHER}"]


def test_without_tasks_there_is_none_to_restart(tmp_path: Path) -> None:
    unreleased = Restart(tmp_path)
    unreleased.state = replace(ECS, parameters={"Image": "unreleased", "DesiredCount": "2"})
    with pytest.raises(OpsError, match="no release yet"):
        unreleased.restart()
    zero = service(deployment("d1", OLD, desired=0, running=0), desired=0)
    with pytest.raises(OpsError, match="set to 0 tasks") as caught:
        Restart(tmp_path, service=zero, targets=()).restart()
    assert caught.value.hint == "opsctl ecs scale 2"


def test_an_image_that_is_gone_is_refused_before_the_old_tasks_stop(tmp_path: Path) -> None:
    world = Restart(tmp_path)
    world.ecr.tags.clear()
    with pytest.raises(OpsError, match=f"`web` holds no image `{DIGEST}`"):
        world.restart()


def test_a_rollback_after_a_restart_goes_to_what_ran_before_the_image_came() -> None:
    # A rollback, then a restart: another rollback went forward, to the one that was left.
    known = [
        *(release(1, 1), release(2, 2), release(3, 3)),
        release(4, 2, back_to=2),
        replace(release(5, 2), before=image(2), changed=("restart",)),
    ]
    chosen = choose(known, known[4], None)
    assert chosen is not None and chosen.number == 1


def test_a_change_of_the_stack_does_not_hide_which_release_brought_the_image() -> None:
    known = [release(1, 1), release(2, 2), replace(release(3, 2), before=image(2))]
    chosen = choose(known, known[2], None)
    assert chosen is not None and chosen.number == 1
