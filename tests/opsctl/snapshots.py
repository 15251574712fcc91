"""Snapshots made by hand, and procedures driven by them: no sandbox, no time, no network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from opsctl.config import document
from opsctl.config.load import link
from opsctl.config.model import Config
from opsctl.procedure import Driver, Procedure, Question
from opsctl.snapshot.service import Deployment, Service
from opsctl.snapshot.snapshot import Kind, Look, Names, Snapshot
from opsctl.snapshot.stacks import StackEvent, StackState
from opsctl.snapshot.targets import Target
from opsctl.snapshot.task_definitions import TaskDefinition

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
OLD, NEW, OTHER = (f"arn:aws:ecs:us-east-1:1:task-definition/web:{n}" for n in (1, 2, 3))
OLD_IMAGE, NEW_IMAGE, OTHER_IMAGE = (f"repository@sha256:{n}" for n in (1, 2, 3))
DEFINITIONS = tuple(
    TaskDefinition(arn, (image,), 512, 400)
    for arn, image in ((OLD, OLD_IMAGE), (NEW, NEW_IMAGE), (OTHER, OTHER_IMAGE))
)


def config(*overrides: str) -> Config:
    text = "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
    file = document.parse(text, "opsctl.yaml")
    return link(file, environment=None, environ={}, overrides=overrides).config


NAMES = Names.of(config())


def deployment(
    id: str,
    definition: str,
    *,
    primary: bool = True,
    desired: int = 2,
    running: int = 2,
    pending: int = 0,
    failed: int = 0,
    state: str = "COMPLETED",
    reason: str = "",
) -> Deployment:
    status = "PRIMARY" if primary else "ACTIVE"
    return Deployment(id, status, definition, desired, running, pending, failed, state, reason)


def service(*deployments: Deployment, desired: int = 2, balanced: bool = True) -> Service:
    return Service(
        "web",
        "web",
        desired,
        sum(one.running for one in deployments),
        sum(one.pending for one in deployments),
        next((one.task_definition for one in deployments if one.status == "PRIMARY"), ""),
        deployments,
        target_groups=("tg",) if balanced else (),
    )


def targets(states: str) -> tuple[Target, ...]:
    return tuple(Target(f"i-{n}:80", state) for n, state in enumerate(states.split()))


def snapshot(
    *deployments: Deployment, seconds: float = 0, states: str = "healthy healthy", **parts: Any
) -> Snapshot:
    """Of a service with these deployments, `seconds` after START."""
    values: dict[str, Any] = {
        "service": service(*deployments) if deployments else None,
        "task_definitions": DEFINITIONS,
        "targets": targets(states),
    }
    return Snapshot(START + timedelta(seconds=seconds), NAMES, **{**values, **parts})


def stack(kind: Kind, status: str, **more: Any) -> StackState:
    name = f"web-{kind}"
    tags = more.pop("tags", {"opsctl:name": "web"})
    return StackState(f"arn:{name}", name, status, tags=tags, **more)


def stacks(*states: StackState, seconds: float = 0) -> Snapshot:
    by_kind: dict[Any, StackState] = {state.name.partition("-")[2]: state for state in states}
    return Snapshot(START + timedelta(seconds=seconds), NAMES, stacks=by_kind)


def event(
    id: str, status: str, reason: str = "", *, of: str = "", type: str = "AWS::SNS::Topic"
) -> StackEvent:
    """Of the stack `web-db` itself, or of the resource `of`."""
    kind = type if of else "AWS::CloudFormation::Stack"
    return StackEvent(id, START, "web-db", of or "web-db", "physical", kind, status, reason)


def happened(*events: StackEvent, seconds: float = 0, **parts: Any) -> Snapshot:
    return replace(Snapshot(START + timedelta(seconds=seconds), NAMES, events=events), **parts)


class Driven:
    """What a procedure yielded, asked and returned."""

    def __init__(
        self,
        procedure: Procedure[Any],
        snapshots: Iterable[Snapshot] | Callable[[Look], Snapshot] = (),
        answers: Sequence[bool] = (),
    ) -> None:
        """Snapshots are given in turn, the last one for ever, or made for each look."""
        replies = list(answers)
        waiting = [] if callable(snapshots) else list(snapshots)
        self.looks: list[Look] = []
        self.slept: list[float] = []
        self.questions: list[Question] = []
        self.items: list[object] = []

        def look(look: Look) -> Snapshot:
            self.looks.append(look)
            if callable(snapshots):
                return snapshots(look)
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

        driver = Driver(procedure, look=look, sleep=self.slept.append)
        for item in driver:
            if isinstance(item, Question):
                self.questions.append(item)
                driver.answer(replies.pop(0))
            self.items.append(item)
        self.result = driver.result

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]
