"""Parse what an ECS request names, and check it as ECS does."""

import re
from collections.abc import Sequence
from typing import Any

from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.wire import paging
from opsctl_sandbox.wire.calls import Refused, Structure

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
Answer = dict[str, Any]


def invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)


def missing(arn: str) -> Answer:
    return {"arn": arn, "reason": "MISSING"}


def is_name(text: str) -> bool:
    """Return whether a cluster, a service or a family can have this name."""
    return bool(_NAME.fullmatch(text))


def last(identifier: str) -> str:
    """Return the name at the end of an ARN, or the name itself."""
    return identifier.rsplit("/", 1)[-1]


def cluster_name(world: World, request: Structure) -> str:
    """Return the cluster that the call names. Raises as ECS does when there is none."""
    name = last(request.get("cluster") or "default")
    if name not in world.clusters:
        raise Refused("ClusterNotFoundException", "Cluster not found.")
    return name


def find_definition(world: World, name: str) -> str:
    """Return the ARN for an ARN, a `family:revision` or a family (its latest active revision)."""
    if name in world.definitions:
        return name
    named = last(name)
    matching = [
        d.arn
        for d in world.definitions.values()
        if f"{d.family}:{d.revision}" == named
        or (d.family == named and d.arn not in world.inactive)
    ]
    if not matching:
        raise Refused("ClientException", "Unable to describe task definition.")
    return matching[-1]


def active_definition(world: World, name: str, code: str = "ClientException") -> str:
    """Return the ARN, as `find_definition`.

    Raises as ECS does for what somebody deregistered, whose tasks and service run on.
    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
    """
    arn = find_definition(world, name)
    if arn in world.inactive:
        raise Refused(code, "TaskDefinition is inactive")
    return arn


def several(request: Structure, member: str, what: str, most: int) -> list[str]:
    """Return the names that a describe call asks for: at least one, at most `most`."""
    names = list(request.get(member) or ())
    if not names:
        raise invalid(f"{what} cannot be empty.")
    if len(names) > most:
        raise invalid(f"{what} can have at most {most} items.")
    return names


def one_of(request: Structure, member: str, known: Sequence[str], default: str = "") -> str:
    value = str(request.get(member) or default)
    if value and value not in known:
        raise invalid(f"{member} must be one of {', '.join(known)}.")
    return value


def number(request: Structure, member: str, default: int, least: int, most: int) -> int:
    value = request.get(member)
    if value is None:
        return default
    if not least <= int(value) <= most:
        raise invalid(f"{member} must be between {least} and {most}.")
    return int(value)


def page(items: Sequence[Any], request: Structure, member: str, size: int = 100) -> Answer:
    """Return one page of a list, with `size` items unless the call says otherwise."""
    limit = number(request, "maxResults", size, 1, 100)
    try:
        on_page, token = paging.cut(
            items, token=request.get("nextToken"), size=limit, list_name=f"ecs/{member}"
        )
    except ValueError as error:
        raise invalid("Invalid token.") from error
    return {member: on_page} | ({"nextToken": token} if token else {})
