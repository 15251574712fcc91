"""What a release writes down, when it is locked, and which images it keeps."""

from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from opsctl.aws import Clock
from opsctl.errors import AwsError
from opsctl.procedure import Driver, Failed, Notice, Question, Waiting
from opsctl.releases import closing, history
from opsctl.releases.difference import Difference
from opsctl.releases.rollback import Rollback
from opsctl.snapshot import releases
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.snapshot import Look, Unread
from opsctl.stacks import lock
from tests.opsctl.releases.world import CONFIG, DIGEST, URI, World, kinds, result
from tests.opsctl.snapshots import (
    OLD,
    OLD_IMAGE,
    START,
    Driven,
    deployment,
    service,
    snapshot,
    stack,
)
from tests.opsctl.ssm import Writer
from tests.opsctl.stacks.fake import refusal


def test_a_release_is_written_before_its_change_and_closed_with_its_end(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    seen: list[tuple[str, bool]] = []
    execute = world.aws.execute_change_set

    def executing(**parameters: Any) -> None:
        [open_one] = world.history()
        seen.append((open_one.outcome, world.locked()))
        execute(**parameters)

    world.aws.execute_change_set = executing  # type: ignore[method-assign]  # our fake
    driven = world.run(True)
    assert seen == [("running", True)]
    [release] = world.history()
    assert (release.outcome, release.image) == ("deployed", f"{URI}@{DIGEST}")
    assert (release.before, release.before_deployment) == (OLD_IMAGE, "d1")
    assert (release.commit, release.definition) == ("c0ffee", "web:2")
    assert result(driven).number == 1 and not world.locked()


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_release_begins_at_aws_s_time_whatever_this_machine_s_clock_says(
    root: Path, minutes: int
) -> None:
    """With a fast clock it seemed to begin after its own change, which was then overlooked."""
    world = World(root, held=True, image=DIGEST)
    world.clock = Clock(lambda: START + timedelta(minutes=minutes))
    world.clock.learn(format_datetime(START, usegmt=True))
    world.run(True)
    [release] = world.history()
    assert release.begun == START
    [name] = [one for one in world.ssm.values if one.endswith("/locks/web-ecs/000001")]
    assert START.isoformat() in world.ssm.values[name]
    changed = stack("ecs", "UPDATE_ROLLBACK_COMPLETE", changed=START + timedelta(seconds=20))
    now = snapshot(deployment("d1", OLD), seconds=600, stacks={"ecs": changed})
    ended = closing.judge(replace(release, outcome="running"), None, now)
    assert ended is not None and ended.kind == "rolled-back"


def test_a_roll_that_fails_is_closed_as_that(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    world.run(True, end="UPDATE_ROLLBACK_COMPLETE")
    [release] = world.history()
    assert release.outcome == "rolled-back" and not release.good


def test_a_roll_that_a_rollback_cancelled_says_whose_it_was(root: Path) -> None:
    # "rolled back: `web-ecs` (UPDATE_ROLLBACK_COMPLETE)", and nobody knew why.
    bob = Lock("web-ecs", 2, who="a/bob", host="ci", process="q", command="rollback --yes")
    later = START + timedelta(days=9999)
    for theirs, said in (
        (replace(bob, since=later), "cancelled by bob@ci: rollback --yes"),
        (replace(bob, since=START - timedelta(days=1)), ""),
        (replace(bob, since=later, command="ecs up"), ""),
    ):
        world = World(root, held=True, image=DIGEST)
        look = world._look("UPDATE_ROLLBACK_COMPLETE")

        def taken_over(wanted: Look, lock: Lock = theirs, look: Any = look) -> Any:
            now = look(wanted)
            return replace(now, locks={"ecs": lock}) if wanted.parts == {"locks"} else now

        world._look = lambda end, now=taken_over: now  # type: ignore[method-assign, misc]
        driven = world.run(True)
        assert driven.result.kind == "rolled-back"
        assert (driven.result.reason == said) == bool(said)
        assert bool(driven.of(Failed)) != bool(said)  # there is no cause to look for
        assert world.history()[0].reason == driven.result.reason


@pytest.mark.parametrize(
    ("end", "silent"),
    [
        ("UPDATE_ROLLBACK_COMPLETE", {"locks"}),
        ("UPDATE_ROLLBACK_COMPLETE", {"service"}),
        ("UPDATE_COMPLETE", {"service"}),
    ],
)
def test_an_outcome_is_told_when_aws_falls_silent_before_it_is_written(
    root: Path, end: str, silent: set[str]
) -> None:
    # "AWS does not answer" was all that was told of a release that had been rolled back.
    world = World(root, held=True, image=DIGEST)
    look, change = world._look(end), world.aws.execute_change_set
    begun: list[Any] = []
    world.aws.execute_change_set = lambda **more: begun.append(more) or change(**more)  # type: ignore[method-assign, func-returns-value]  # our fake

    def falling_silent(wanted: Look) -> Any:
        if begun and wanted.parts == silent:
            raise AwsError("AWS does not answer")
        return look(wanted)

    world._look = lambda end: falling_silent  # type: ignore[method-assign]
    driven = world.run(True)
    good = end == "UPDATE_COMPLETE"
    assert driven.result.kind == ("deployed" if good else "rolled-back")
    warnings = [one.text for one in driven.of(Notice) if "not in the history yet" in one.text]
    assert len(warnings) == (silent == {"service"}) and world.history()[0].running == bool(warnings)


def test_what_is_declined_or_only_tried_is_no_release(root: Path) -> None:
    for answer in (True, False):
        world = World(root)
        if answer:
            world.preview()
        else:
            world.run(False)
        assert world.history() == () and not world.locked() and world.ssm.values == {}


def test_a_roll_that_is_left_running_stays_open_for_whoever_looks_next(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    driver = Driver(world.release().run(), look=world._look("x"), sleep=lambda _: None)
    for item in driver:
        if isinstance(item, Question):
            driver.answer(True)
        if isinstance(item, Waiting) and item.subject:
            driver.detach()
            break
    list(driver)
    [release] = world.history()
    assert release.running and not world.locked()


def test_a_roll_without_permission_to_read_goes_on_and_is_closed_later(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    look = world._look("UPDATE_COMPLETE")
    driver = Driver(world.release().run(), look=look, sleep=lambda _: None)
    with pytest.raises(AwsError):
        for item in driver:
            if isinstance(item, Question):
                driver.answer(True)
            if isinstance(item, Waiting) and item.subject:
                refused = AwsError("no", operation="DescribeTaskDefinition", code="AccessDenied")
                driver._throw(refused)
                driver.waiting = None
    [release] = world.history()
    assert release.running and not world.locked()


def test_the_lock_is_held_while_an_image_is_built(root: Path) -> None:
    world = World(root)
    held: list[bool] = []
    build = world.engine.build

    def building(context: Any, request: Any) -> Any:
        held.append(world.locked())
        return build(context, request)

    world.engine.build = building  # type: ignore[method-assign]  # our fake
    world.run(True)
    assert held == [True] and not world.locked()


def test_somebody_who_has_the_lock_is_waited_for_before_anything_is_built(root: Path) -> None:
    world = World(root)
    bob = cast(Any, Writer(world.ssm, "bob"))
    held = Driven(lock.take(bob, "ecs", "web-ecs", now=world.ssm.now)).result
    driver = Driver(
        world.release().run(), look=world._look("UPDATE_COMPLETE"), sleep=lambda _: None
    )
    waited = 0
    for item in driver:
        if isinstance(item, Question):
            driver.answer(True)
        if isinstance(item, Waiting) and "waiting for bob" in item.subject:
            waited += 1
            assert world.engine.done == []
            if waited == 3:
                held.__exit__()
    assert waited >= 3 and driver.result.kind == "deployed"


def test_a_roll_that_aws_refuses_is_closed_as_failed(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    denied = refusal("ExecuteChangeSet", "AccessDenied", "not you")
    world.aws.fails["ExecuteChangeSet"] = denied
    with pytest.raises(ClientError):
        world.run(True)
    [release] = world.history()
    assert release.outcome == "failed" and "not you" in release.reason and not world.locked()


def test_what_changed_is_named_before_the_question_and_kept(root: Path) -> None:
    driven = World(root).run(True)
    steps = kinds(driven, Difference, Question)
    assert steps[:2] == [Difference, Question]
    world = World(root)
    world.run(True)
    assert world.history()[0].changed == ("image",)


def test_a_secret_with_a_new_version_starts_new_tasks_of_the_same_image(root: Path) -> None:
    world = World(root, image="old")
    world.ecr.tags["old"] = OLD_IMAGE.rpartition("@")[2]
    known = releases.Release(
        1, START, image=OLD_IMAGE, outcome="deployed", secrets={"ssm:/token": "7"}
    )
    versions = (SecretVersion("ssm:/token", "8", START),)
    world.parts = {"releases": (known,), "secret_versions": versions}
    driven = world.preview()
    [found] = driven.of(Difference)
    assert "ssm:/token: version 7 -> version 8" in [one.text for one in found.changes]
    assert found.reasons == ("image", "secrets: ssm:/token: version 7 -> version 8")


def test_images_are_kept_when_not_all_that_use_them_is_known(root: Path) -> None:
    world = World(root)
    world.parts = {"unread": (Unread("image_users", "ListClusters is denied"),)}
    driven = world.run(True)
    assert driven.result.kind == "deployed"
    assert "old images are kept" in driven.of(Notice)[-1].text
    assert "ListClusters is denied" in driven.of(Notice)[-1].text


def test_images_are_kept_when_the_ledger_does_not_hold_the_release(root: Path) -> None:
    world = World(root)
    world.ssm.limit = 0
    driven = world.run(True)
    assert driven.result.kind == "deployed"
    assert "old images are kept" in driven.of(Notice)[-1].text


def test_rebuilt_content_is_found_again_by_the_release_that_rolled_it(root: Path) -> None:
    first = World(root)
    first.run(True)
    rebuilt = f"sha256:{'3' * 64}"
    again = World(root)
    again.ecr.tags = {**first.ecr.tags, "rebuilt": rebuilt}
    [before] = first.history()
    newer = replace(before, number=2, image=f"{URI}@{rebuilt}")
    again.parts = {"releases": (before, newer)}
    assert result(again.run(True)).image.reference == f"{URI}@{rebuilt}"
    gone = World(root)
    gone.ecr.tags = dict(first.ecr.tags)
    gone.parts = {"releases": (before, newer)}
    assert result(gone.run(True)).image.reference == f"{URI}@{DIGEST}"


def test_a_rebuild_builds_what_the_registry_holds(root: Path) -> None:
    first = World(root)
    first.run(True)
    again = World(root, rebuild=True)
    again.ecr.tags = dict(first.ecr.tags)
    again.run(True)
    assert "build" in again.engine.done
    # Without a registry that has a newer base image, the one that is here will do: offline, too.
    [request] = again.engine.requests
    assert request.fresh and not request.pull


def test_a_count_by_hand_that_stays_is_no_change(root: Path) -> None:
    # "desired count 3 -> 2", it said, and left 3 there.
    world = World(root, held=True, image=DIGEST)
    three = service(deployment("d1", OLD, desired=3, running=3), desired=3)
    world.parts = {"service": three}
    [found] = world.preview().of(Difference)
    assert [one.topic for one in found.changes] == ["commits", "image"]


def test_a_ledger_that_may_not_be_read_is_not_one_without_the_release(root: Path) -> None:
    # "there is no release 1", it said to a CI job without the permission.
    world = World(root)
    world.parts = {"unread": (Unread("releases", "AWS refused GetParameters"),)}
    clients = cast(Any, None)
    for procedure in (
        history.compare(clients, CONFIG, root, 1, 2),
        Rollback(clients, CONFIG, root, number=1).run(),
    ):
        with pytest.raises(AwsError, match="AWS refused GetParameters"):
            Driven(procedure, world._look("UPDATE_COMPLETE"))
