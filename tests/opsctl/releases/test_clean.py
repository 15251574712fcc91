"""Cleaning up after a release: only in the system's own repository, only what nobody needs."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Unread
from tests.opsctl.releases.world import DIGEST, ECR, URI, World, result
from tests.opsctl.snapshots import START, stack


def digest(number: int) -> str:
    return f"sha256:{number:064}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With 40 older images, of which `image.keep` keeps the newest 30."""
    made = World(tmp_path, held=True, image=DIGEST)
    made.ecr.old = [
        {"imageDigest": digest(number), "imagePushedAt": START + timedelta(days=number)}
        for number in range(40)
    ]
    return made


def released(number: int, image: int, outcome: Any) -> Release:
    return Release(number, START, image=f"{URI}@{digest(image)}", outcome=outcome)


def test_the_oldest_go_but_what_a_good_release_or_a_service_names(world: World) -> None:
    world.parts = {
        "releases": (released(1, 2, "deployed"), released(2, 3, "rolled-back")),
        "image_users": frozenset({f"{URI}@{digest(5)}"}),
    }
    world.run(True)
    kept = {digest(2), digest(5)}
    assert set(world.ecr.deleted) == {digest(number) for number in range(10)} - kept


@pytest.mark.parametrize("part", ["releases", "image_users", "stacks"])
def test_what_cannot_be_read_is_taken_for_in_use(world: World, part: Any) -> None:
    look = world._look("UPDATE_COMPLETE")
    refused = Unread(part, "no permission")

    def blind(wanted: Any) -> Any:
        now = look(wanted)
        return replace(now, unread=(refused,)) if "image_users" in wanted.parts else now

    world._look = lambda end: blind  # type: ignore[method-assign]  # one look of several
    driven = world.run(True)
    assert result(driven).outcome.kind == "deployed" and world.ecr.deleted == []
    assert "old images are kept" in driven.of(Notice)[-1].text
    assert "no permission" in driven.of(Notice)[-1].text


@pytest.mark.parametrize("outcome", ["unreadable", "an outcome of a later version", "running"])
def test_of_a_release_whose_end_is_not_known_nothing_goes(world: World, outcome: str) -> None:
    world.parts = {"releases": (released(1, 2, outcome),)}
    world.run(True)
    assert digest(2) not in world.ecr.deleted
    assert bool(world.ecr.deleted) == (outcome != "unreadable")


def test_images_of_before_the_releases_that_were_read_stay(world: World) -> None:
    # A full ledger has 5,000 releases: only the newest are read.
    first = replace(released(4501, 2, "deployed"), begun=START + timedelta(days=6))
    world.parts = {"releases": (first,)}
    world.run(True)
    assert set(world.ecr.deleted) == {digest(number) for number in range(7, 10)}


def test_a_repository_that_no_stack_of_this_system_holds_is_not_cleaned(world: World) -> None:
    world.ecr_stack = replace(ECR, status="DELETE_COMPLETE")
    driven = world.run(True)
    assert result(driven).outcome.kind == "deployed" and world.ecr.deleted == []
    assert "`web` does not belong to `web-ecr`" in driven.of(Notice)[-1].text


def test_the_repository_of_another_system_is_neither_rolled_from_nor_cleaned(
    world: World,
) -> None:
    world.ecr_stack = stack("ecr", "CREATE_COMPLETE", outputs={"RepositoryName": "other"})
    with pytest.raises(OpsError, match="`web-ecr` holds `other`"):
        world.run(True)
    assert world.ecr.deleted == [] and world.aws.executed == []
