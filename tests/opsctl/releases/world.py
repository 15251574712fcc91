"""A live service of an old image, a registry, an engine, and a release driven through them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from botocore.exceptions import ClientError

from opsctl.aws import Clock
from opsctl.docker import Progress
from opsctl.errors import DockerError
from opsctl.releases.plan import Options
from opsctl.releases.update_tasks import ReleaseResult, UpdateTasks
from opsctl.snapshot import locks, releases
from opsctl.snapshot.snapshot import Look, Snapshot
from tests.opsctl.releases.test_make import OUTPUTS
from tests.opsctl.rollout.test_plan import INSTANCES
from tests.opsctl.snapshots import (
    NEW,
    OLD,
    OLD_IMAGE,
    Driven,
    config,
    deployment,
    event,
    snapshot,
    stack,
)
from tests.opsctl.ssm import Ssm
from tests.opsctl.stacks.fake import Clients, CloudFormation

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
ECR = stack("ecr", "CREATE_COMPLETE", outputs={"RepositoryName": "web"})


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
        self.old: list[Any] = []
        self.deleted: list[str] = []

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
        return SimpleNamespace(paginate=lambda **_: [{"imageDetails": self.old}])

    def batch_delete_image(self, *, imageIds: Any, **_: Any) -> Any:
        self.deleted += [one["imageDigest"] for one in imageIds]
        return {}


class Engine:
    """A Docker engine whose build always gives the same image."""

    def __init__(self, ecr: Ecr) -> None:
        self.ecr = ecr
        self.done: list[str] = []
        self.requests: list[Any] = []

    def build(self, context: Any, request: Any) -> Any:
        self.done.append("build")
        self.requests.append(request)
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


class World:
    """A live service of the old image, and whatever the release does to it."""

    def __init__(self, root: Path, *, held: bool = False, **options: Any) -> None:
        self.root, self.options = root, Options(**options)
        self.aws, self.ecr = CloudFormation(changes=()), Ecr()
        self.engine = Engine(self.ecr)
        self.ssm = Ssm()
        self.clock = Clock()
        self.ecr_stack = ECR
        # Whether those who hold a lock or left a release open are known to have ended.
        self.caller_gone = False
        self.has_engine = True
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

    def release(self, ecs: Any = None) -> UpdateTasks:
        clients = cast(Any, Clients(self.aws, ecr=self.ecr, ssm=self.ssm, ecs=ecs))
        clients.clock = self.clock
        if self.caller_gone:
            clients.caller = replace(clients.caller, process="next", gone=lambda one: one != "next")
        return UpdateTasks(
            clients,
            CONFIG,
            self.root,
            self.options,
            sleep=lambda _: None,
            now=lambda: 0.0,
            connect=self.connect,
            labels=lambda clients, image: {"io.opsctl.commit": "c0ffee"},
        )

    def connect(self) -> Any:
        if not self.has_engine:
            raise DockerError("no Docker engine answers")
        return self.engine

    def run(self, *answers: bool, end: str = "UPDATE_COMPLETE") -> Driven:
        return Driven(self.release().run(), self._look(end), answers)

    def preview(self) -> Driven:
        return Driven(self.release().preview(), self._look("UPDATE_COMPLETE"))

    def _look(self, end: str) -> Callable[[Look], Snapshot]:
        """The old service until a change set was executed, the new one after."""
        stacks = {"ecs": ECS, "ecr": self.ecr_stack, "db": DB}
        old = snapshot(deployment("d1", OLD), instances=INSTANCES, stacks=stacks)
        definitions = tuple(
            replace(one, images=(f"{URI}@{DIGEST}",)) if one.arn == NEW else one
            for one in old.task_definitions
        )
        good = end == "UPDATE_COMPLETE"
        after = replace(
            ECS,
            parameters={**ECS.parameters, "Image": f"{URI}@{DIGEST}"},
            outputs={"TaskDefinitionArn": NEW},
        )
        new = snapshot(
            deployment("d2", NEW) if good else deployment("d3", OLD),
            instances=INSTANCES,
            stacks={**stacks, "ecs": after} if good else stacks,
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
