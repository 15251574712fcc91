"""Causes for tasks whose image cannot be pulled."""

import re
from collections.abc import Iterator

from opsctl.cause import task_failures, telling
from opsctl.cause.cause import Cause, Evidence
from opsctl.cause.history import History
from opsctl.cause.task_failures import TaskFailure

_ACTION = re.compile(r"(?:perform|action)s?:? (\w+:\w+)|allows the (\w+:\w+) action")


def image_not_found(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "image-not-found").values():
        name = _name(history, failures[0])
        yield telling.cause(
            history,
            "image-not-found",
            failures,
            f"the registry does not hold the image {name}".rstrip()
            + f": {telling.brief(failures[0].reason)}",
            next="to build and push it again: opsctl update-tasks",
            evidence=_registry(history),
            lasting=True,
        )


def image_gone(history: History) -> Iterator[Cause]:
    """Yield a Cause when the registry no longer has the image of the service: no further task can
    start.
    """
    if not any(one.held is False for one in history.now.registry_images):
        return
    wanted = {
        image
        for one in history.now.task_definitions
        if history.now.primary and one.arn == history.now.primary.task_definition
        for image in one.images
    }
    for one in history.now.registry_images:
        if not one.held and one.reference in wanted:
            yield Cause(
                "image-not-found",
                f"the registry does not hold the image {telling.short_image(one.reference)}, which "
                "the service asks for: a task that stops cannot be replaced",
                "certain",
                (Evidence("ecr DescribeImages", f"{one.reference}: not found", history.now.at),),
                "to build and push it again: opsctl update-tasks",
                lasting=True,
            )


def pull_denied(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "pull-denied").values():
        match = _ACTION.search(failures[0].reason)
        action = next(filter(None, match.groups()), "") if match else ""
        yield telling.cause(
            history,
            "pull-denied",
            failures,
            f"the instances may not pull the image {_name(history, failures[0])}".rstrip()
            + (f" ({action} is missing)" if action else "")
            + f": {telling.brief(failures[0].reason)}",
            next="to see what differs from the roles of the stack: opsctl ecs plan",
        )


def _name(history: History, failure: TaskFailure) -> str:
    reference = telling.image(history, failure)
    return f"`{telling.short_image(reference)}`" if reference else ""


def _registry(history: History) -> tuple[Evidence, ...]:
    return tuple(
        Evidence("ecr DescribeImages", f"{one.reference}: not found", history.now.at)
        for one in history.now.registry_images
        if not one.held
    )


def _reason(failure: TaskFailure) -> str:
    return telling.brief(failure.reason)


RULES = (
    image_not_found,
    image_gone,
    pull_denied,
    telling.plainly(
        "pull-limited",
        "the registry limits the pulls",
        says=_reason,
        next="the copy in your own repository has no such limit: opsctl update-tasks",
    ),
    telling.plainly(
        "registry-unreachable",
        "the instances cannot pull from the registry",
        says=_reason,
        next="to compare routes and groups with the stack: opsctl ecs plan",
    ),
    telling.plainly(
        "disk-full",
        "an instance has no space left on its disk",
        says=telling.last,
        next="to see what the agent removes: opsctl logs tail agent --since 1h --no-follow",
    ),
)
