"""`update-tasks` as a procedure: ask before building, build before rolling, tell how it ended."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from opsctl.docker import Progress
from opsctl.errors import DockerError, OpsError
from opsctl.images.make import ImageEvent
from opsctl.outcome import Outcome
from opsctl.procedure import Driver, Notice, Question, Waiting
from opsctl.releases.difference import Difference
from opsctl.releases.make import Caddyfile, ReleaseImage
from opsctl.releases.update_tasks import Options, Release, ReleaseResult
from opsctl.snapshot import locks, releases
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.snapshot import Look, Snapshot, Unread
from opsctl.stacks import lock
from tests.opsctl.releases.test_make import OUTPUTS, TEMPLATE
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.snapshots import (
    NEW,
    OLD,
    OLD_IMAGE,
    START,
    Driven,
    config,
    deployment,
    event,
    snapshot,
    stack,
)
from tests.opsctl.ssm import Ssm, Writer
from tests.opsctl.stacks.fake import Clients, CloudFormation, refusal

URI = "1.dkr.ecr.us-east-1.amazonaws.com/web"
DIGEST = f"sha256:{'2' * 64}"
CONFIG = config("ecs.desired_count=2")
ECS = stack(
    "ecs",
    "UPDATE_COMPLETE",
    parameters={"Image": OLD_IMAGE, "DesiredCount": "2"},
    outputs={"TaskDefinitionArn": OLD},
)
DB = stack("db", "CREATE_COMPLETE", outputs=OUTPUTS)


class ImageNotFound(ClientError):
    pass


class Ecr:
    """A repository that holds `tags`; a push adds one."""

    exceptions = SimpleNamespace(
        ClientError=ClientError,
        RepositoryNotFoundException=KeyError,
        ImageNotFoundException=ImageNotFound,
    )

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def describe_repositories(self, **_: Any) -> Any:
        return {"repositories": [{"repositoryUri": URI}]}

    def describe_images(self, *, imageIds: Any, **_: Any) -> Any:
        wanted = imageIds[0]
        digest = self.tags.get(wanted.get("imageTag", ""), wanted.get("imageDigest"))
        if digest not in self.tags.values():
            raise ImageNotFound({"Error": {"Code": "ImageNotFoundException"}}, "DescribeImages")
        return {"imageDetails": [{"imageDigest": digest}]}

    def get_authorization_token(self) -> Any:
        return {"authorizationData": [{"authorizationToken": "QVdTOng="}]}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"imageDetails": []}])


class Engine:
    """A Docker engine whose build always gives the same image."""

    def __init__(self, ecr: Ecr) -> None:
        self.ecr = ecr
        self.done: list[str] = []

    def build(self, context: Any, **_: Any) -> Any:
        self.done.append("build")
        yield Progress("built", result="image")

    def architecture(self, image: str) -> str:
        return "amd64"

    def tag(self, image: str, repository: str, tag: str) -> None:
        pass

    def push(self, repository: str, tag: str, **_: str) -> Any:
        self.done.append("push")
        self.ecr.tags[tag] = DIGEST
        yield Progress("pushed", result=DIGEST)

    def local_digests(self, image: str) -> tuple[str, ...]:
        return ()

    def registry_digest(self, image: str) -> str:
        return ""

    def close(self) -> None:
        if self.done:
            self.done.append("close")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Caddyfile_template").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    return tmp_path


class World:
    """A live service of the old image, and whatever the release does to it."""

    def __init__(self, root: Path, *, held: bool = False, **options: Any) -> None:
        self.root, self.options = root, Options(**options)
        self.aws, self.ecr = CloudFormation(changes=()), Ecr()
        self.engine = Engine(self.ecr)
        self.ssm = Ssm()
        self.parts: dict[str, Any] = {}
        if held:
            self.ecr.tags["held"] = DIGEST
        describe = self.aws.describe_change_set

        def tasks(**parameters: Any) -> Any:
            described = describe(**parameters)
            if described["Status"] == "FAILED":
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
            return described

        self.aws.describe_change_set = tasks  # type: ignore[method-assign]  # our fake

    def release(self) -> Release:
        clients = cast(Any, Clients(self.aws, ecr=self.ecr, ssm=self.ssm))
        return Release(
            clients,
            CONFIG,
            self.root,
            self.options,
            sleep=lambda _: None,
            now=lambda: 0.0,
            connect=lambda: cast(Any, self.engine),
            labels=lambda clients, image: {"io.opsctl.commit": "c0ffee"},
        )

    def run(self, *answers: bool, end: str = "UPDATE_COMPLETE") -> Driven:
        return Driven(self.release().run(), self._look(end), answers)

    def preview(self) -> Driven:
        return Driven(self.release().preview(), self._look("UPDATE_COMPLETE"))

    def _look(self, end: str) -> Callable[[Look], Snapshot]:
        """The old service until a change set was executed, the new one after."""
        stacks = {"ecs": ECS, "db": DB}
        old = snapshot(deployment("d1", OLD), instances=INSTANCES, stacks=stacks)
        definitions = tuple(
            replace(one, images=(f"{URI}@{DIGEST}",)) if one.arn == NEW else one
            for one in old.task_definitions
        )
        new = snapshot(
            deployment("d2", NEW) if end == "UPDATE_COMPLETE" else deployment("d3", OLD),
            stacks=stacks,
            task_definitions=definitions,
            events=(event("e1", end),),
        )

        def look(look: Look) -> Snapshot:
            known = releases.read(cast(Any, self.ssm), "web", 10)
            kept = locks.read(cast(Any, self.ssm), "web", "web-ecs")
            parts: dict[str, Any] = {"releases": known, "locks": {"ecs": kept[-1]} if kept else {}}
            return replace(new if self.aws.executed else old, **{**parts, **self.parts})

        return look

    def history(self) -> tuple[releases.Release, ...]:
        return releases.read(cast(Any, self.ssm), "web", 10)

    def locked(self) -> bool:
        kept = locks.read(cast(Any, self.ssm), "web", "web-ecs")
        return bool(kept) and not kept[-1].closed


def kinds(driven: Driven, *of: type[Any]) -> list[type[Any]]:
    return [type(item) for item in driven.items if isinstance(item, of)]


def result(driven: Driven) -> ReleaseResult:
    [last] = driven.of(ReleaseResult)
    assert isinstance(last, ReleaseResult)
    return last


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


def test_a_caller_who_may_not_clean_up_has_released_all_the_same(root: Path) -> None:
    world = World(root)

    def denied(name: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeImages")

    world.ecr.get_paginator = denied  # type: ignore[method-assign]  # our fake
    driven = world.run(True)
    assert driven.result.kind == "deployed"
    assert "old images were not removed" in driven.of(Notice)[-1].text


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


def test_a_roll_that_fails_is_closed_as_that(root: Path) -> None:
    world = World(root, held=True, image=DIGEST)
    world.run(True, end="UPDATE_ROLLBACK_COMPLETE")
    [release] = world.history()
    assert release.outcome == "rolled-back" and not release.good


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


def test_the_lock_is_held_while_an_image_is_built(root: Path) -> None:
    world = World(root)
    held: list[bool] = []
    build = world.engine.build

    def building(context: Any, **more: Any) -> Any:
        held.append(world.locked())
        return build(context, **more)

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
