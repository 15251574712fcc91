"""What an ECS request names and how much it wants, checked as ECS checks it."""

from collections.abc import Sequence
from typing import Any

from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.wire import paging
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)


def missing(arn: str) -> Answer:
    return {"arn": arn, "reason": "MISSING"}


def last(identifier: str) -> str:
    """The name at the end of an ARN, or the name itself."""
    return identifier.rsplit("/", 1)[-1]


def cluster_name(world: World, asked: Structure) -> str:
    """The cluster the call names. Raises as ECS does when there is none."""
    name = last(asked.get("cluster") or "default")
    if name not in world.clusters:
        raise Refused("ClusterNotFoundException", "Cluster not found.")
    return name


def find_definition(world: World, name: str) -> str:
    """The ARN behind an ARN, a `family:revision` or a family (its latest active revision)."""
    if name in world.definitions:
        return name
    named = last(name)
    found = [
        d.arn
        for d in world.definitions.values()
        if f"{d.family}:{d.revision}" == named
        or (d.family == named and d.arn not in world.inactive)
    ]
    if not found:
        raise Refused("ClientException", "Unable to describe task definition.")
    return found[-1]


def several(asked: Structure, member: str, what: str, most: int) -> list[str]:
    """The names a describe call asks for: at least one, at most `most`."""
    names = list(asked.get(member) or ())
    if not names:
        raise invalid(f"{what} cannot be empty.")
    if len(names) > most:
        raise invalid(f"{what} can have at most {most} items.")
    return names


def one_of(asked: Structure, member: str, known: Sequence[str], default: str = "") -> str:
    value = str(asked.get(member) or default)
    if value and value not in known:
        raise invalid(f"{member} must be one of {', '.join(known)}.")
    return value


def number(asked: Structure, member: str, default: int, least: int, most: int) -> int:
    value = asked.get(member)
    if value is None:
        return default
    if not least <= int(value) <= most:
        raise invalid(f"{member} must be between {least} and {most}.")
    return int(value)


def page(items: Sequence[Any], asked: Structure, member: str, size: int = 100) -> Answer:
    """One page of a list, `size` long unless the call says otherwise."""
    wanted = number(asked, "maxResults", size, 1, 100)
    try:
        found, token = paging.cut(
            items, token=asked.get("nextToken"), size=wanted, list_name=f"ecs/{member}"
        )
    except ValueError as error:
        raise invalid("Invalid token.") from error
    return {member: found} | ({"nextToken": token} if token else {})
