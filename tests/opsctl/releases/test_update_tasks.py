"""`update-tasks` as a procedure: ask before building, build before rolling, tell how it ended."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from opsctl.errors import DockerError, OpsError
from opsctl.images.make import ImageEvent
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Notice, Question, Waiting
from opsctl.releases.make import Caddyfile, ReleaseImage
from opsctl.releases.update_tasks import ReleaseResult
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.releases.world import DB, DIGEST, ECS, URI, World, kinds, result
from tests.opsctl.snapshots import (
    OLD,
    Driven,
    deployment,
    snapshot,
)
from tests.opsctl.ssm import refused


def test_from_a_template_to_healthy_tasks(root: Path) -> None:
    world = World(root)
    driven = world.run(True)
    assert driven.result == Outcome("deployed")
    assert world.engine.done == ["build", "push", "push", "close"]
    assert result(driven).image.reference == f"{URI}@{DIGEST}"
    assert (root / "Caddyfile").is_file()


def test_one_question_comes_before_the_build(root: Path) -> None:
    driven = World(root).run(True)
    steps = kinds(driven, Caddyfile, Question, ImageEvent, ReleaseResult)
    assert steps[:3] == [Caddyfile, Question, ImageEvent] and steps.count(Question) == 1


def test_after_a_no_nothing_was_built_or_rolled(root: Path) -> None:
    world = World(root)
    driven = world.run(False)
    assert result(driven).outcome.kind == "cancelled"
    assert world.engine.done == [] and world.aws.executed == []


def test_without_an_engine_nobody_is_asked(root: Path) -> None:
    world = World(root)
    world.has_engine = False
    # No answer is prepared: a question would be another error.
    with pytest.raises(DockerError, match="no Docker engine answers"):
        world.run()
    assert world.aws.executed == []


def test_content_that_the_registry_holds_is_not_built_again(root: Path) -> None:
    first = World(root)
    first.run(True)
    again = World(root)
    again.ecr.tags = first.ecr.tags
    driven = again.run(True)
    assert again.engine.done == [] and driven.result.kind == "deployed"


def test_an_image_that_is_named_needs_neither_template_nor_engine(tmp_path: Path) -> None:
    world = World(tmp_path, held=True, image=DIGEST)
    driven = world.run(True)
    assert driven.result.kind == "deployed" and world.engine.done == []
    assert not driven.of(Caddyfile)


def test_no_build_forbids_making_an_image(root: Path) -> None:
    with pytest.raises(DockerError, match="--no-build forbids"):
        World(root, no_build=True).run(True)


def test_a_preview_says_what_would_be_built_and_writes_nothing(root: Path) -> None:
    world = World(root)
    driven = world.preview()
    assert driven.result is True and driven.questions == []
    assert world.engine.done == [] and world.aws.calls == []
    assert not (root / "Caddyfile").exists()
    [image] = driven.of(ReleaseImage)
    assert image.reference == "" and image.target.startswith(URI)


def test_a_rollback_is_the_last_item_and_keeps_the_old_images(root: Path) -> None:
    driven = World(root).run(True, end="UPDATE_ROLLBACK_COMPLETE")
    assert result(driven).outcome.kind == "rolled-back"
    assert isinstance(driven.items[-1], ReleaseResult)


def test_a_roll_that_is_left_running_is_a_result_too(root: Path) -> None:
    # D7: declined or detached went past the outcome, and no `release` object was written.
    world = World(root, held=True, image=DIGEST)
    driver = Driver(world.release().run(), look=world._look("x"), sleep=lambda _: None)
    for item in driver:
        if isinstance(item, Question):
            driver.answer(True)
        if isinstance(item, Waiting) and item.subject:
            driver.detach()
            break
    [last] = [item for item in driver if isinstance(item, ReleaseResult)]
    assert (last.outcome.kind, driver.result) == ("detached", last.outcome)


def test_without_its_stacks_the_command_that_makes_them_is_named(root: Path) -> None:
    for missing, hint in (("ecs", "opsctl ecs up"), ("db", "opsctl db up")):
        stacks = {kind: state for kind, state in (("ecs", ECS), ("db", DB)) if kind != missing}
        now = snapshot(deployment("d1", OLD), stacks=stacks)
        with pytest.raises(OpsError, match=f"there is no stack `web-{missing}`") as caught:
            Driven(World(root).release().run(), [now])
        assert caught.value.hint == hint


def test_a_release_succeeds_without_permission_to_clean_up(root: Path) -> None:
    world = World(root)

    def denied(name: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeImages")

    world.ecr.get_paginator = denied  # type: ignore[method-assign]  # our fake
    driven = world.run(True)
    assert driven.result.kind == "deployed"
    assert "old images were not removed" in driven.of(Notice)[-1].text


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDeniedException", "DescribeRepositories"),
        EndpointConnectionError(endpoint_url="https://api.ecr"),
        OpsError("there is no repository `web`"),
    ],
)
def test_what_fails_after_a_release_is_a_warning(root: Path, error: Exception) -> None:
    """The release is live: neither the exit code nor the last item may deny that."""
    world = World(root, held=True, image=DIGEST)
    look = world._look("UPDATE_COMPLETE")

    def broken(wanted: Look) -> Snapshot:
        if "image_users" in wanted.parts:
            raise error
        return look(wanted)

    driven = Driven(world.release().run(), broken, (True,))
    assert driven.result.kind == "deployed"
    assert "the release is live, but old images were not removed" in driven.of(Notice)[-1].text
    assert isinstance(driven.items[-1], ReleaseResult)
