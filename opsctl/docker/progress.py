"""A build request, the progress of a build or a push, and a build's error."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opsctl.errors import DockerError

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Progress:
    """One step. `layer` is '' when it concerns the whole; `result` is an image or a digest."""

    text: str
    layer: str = ""
    current: int = 0
    total: int = 0
    result: str = ""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build. `pull` fetches newer base images first; with `fresh` no cached layer is used."""

    dockerfile: str
    tag: str
    target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    network: str | None = None
    pull: bool = False
    fresh: bool = False


def plain(text: str) -> str:
    """Return a line of a build's output without its colours."""
    return _ESCAPES.sub("", text).rstrip()


def build_error(reason: str, lines: Iterable[str]) -> DockerError:
    hint = None
    if "no space left" in reason:
        hint = "the engine's disk is full: docker system prune"
    elif "pull access denied" in reason or "manifest unknown" in reason:
        hint = "the Dockerfile's FROM names an image that cannot be pulled"
    return DockerError(with_lines(f"the build failed: {reason.strip()}", lines), hint=hint)


def with_lines(message: str, lines: Iterable[str]) -> str:
    return "\n".join([message, *(f"    {line}" for line in lines)])
