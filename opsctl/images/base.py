"""Find the base images of a Dockerfile and their present digests."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opsctl.docker import Engine

_ARG = re.compile(r"\s*ARG\s+([A-Za-z_][A-Za-z0-9_]*)(?:=(\S*))?\s*$", re.IGNORECASE)
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_USE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Base:
    """`digest` names the present base images, or is '' when unknown.

    With `stale` the registry has newer base images than this engine.
    """

    digest: str = ""
    stale: bool = False


def references(dockerfile: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images with which stages begin, without other stages and `scratch`. Pure.

    `arguments` are build arguments; ARGs before the first FROM of the Dockerfile count, too.
    """
    values: dict[str, str] = {}
    stages: set[str] = set()
    images: dict[str, None] = {}
    for line in dockerfile.splitlines():
        if (argument := _ARG.match(line)) and not stages and not images:
            name, default = argument[1], (argument[2] or "").strip("\"'")
            values[name] = arguments.get(name, _filled(default, values))
        elif start := _FROM.match(line):
            image = _filled(start[1], values)
            if image.lower() not in stages and image != "scratch":
                images[image] = None
            stages.add((start[2] or f"{len(stages)}th stage").lower())
    return tuple(images)


def look(engine: "Engine", images: tuple[str, ...]) -> Base:
    """Return the digests of these images in the registry, else those that the engine has."""
    digests, stale = [], False
    for image in images:
        local = engine.local_digests(image)
        newest = image.partition("@")[2] or engine.registry_digest(image)
        digest = newest or next(iter(local), "")
        if not digest:
            return Base()
        stale = stale or bool(newest and newest not in local)
        digests.append(digest)
    return Base(" ".join(digests), stale)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _USE.sub(lambda use: values.get(use[1] or use[2]) or use[3] or "", text)
