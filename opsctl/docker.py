"""The door to the Docker engine: nothing else but the sandbox imports the docker SDK.

The SDK speaks to the classic builder, which every engine has. What the engine says wrong inside
a 200 stream is raised here, with the last lines of its own output.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from opsctl.errors import DockerError

if TYPE_CHECKING:
    from docker import APIClient

_LAST_LINES = 12
# A `RUN` step may be silent for long; the engine is known to answer when this begins to count.
_SILENCE = 1800
_TRANSIENT = ("EOF", "connection re", "broken pipe", "timeout", "timed out", "HTTP status: 5")
_DENIED = ("denied", "no basic auth", "unauthorized", "401", "403", "authorization token has")


class PushBroken(DockerError):
    """The connection to the registry broke; layers that arrived need not be sent again."""


class TagTaken(DockerError):
    """The repository's tags are immutable and this one has an image."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`layer` is empty for what concerns the whole; `result` is an image id or a digest."""

    text: str
    layer: str = ""
    current: int = 0
    total: int = 0
    result: str = ""


class Engine:
    def __init__(self, client: "APIClient") -> None:
        self._client = client

    def close(self) -> None:
        self._client.close()

    def build(
        self,
        context: IO[bytes],
        *,
        dockerfile: str,
        tag: str,
        target: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        platform: str | None = None,
        network: str | None = None,
    ) -> Iterator[Progress]:
        """Build and yield the output line by line; the last one's `result` is the image id."""
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        with _translated("the build"):
            stream = self._client.build(
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tag,
                target=target,
                labels=dict(labels),
                buildargs=dict(build_args),
                platform=platform,
                network_mode=network,
                rm=True,
                forcerm=True,
                decode=True,
            )
            image = reason = ""
            # Read on after an error: the connection is free only at the stream's end.
            for item in cast("Iterable[dict[str, Any]]", stream):
                reason = reason or str(item.get("error", ""))
                image = item.get("aux", {}).get("ID", image)
                text = str(item.get("stream") or item.get("status") or "").rstrip()
                if text:
                    lines.append(text)
                    yield _progress(item, text)
        if reason:
            raise _build_error(reason, lines)
        if not image:
            raise DockerError(_with_lines("the engine ended the build without an image", lines))
        yield Progress("built", result=image)

    def architecture(self, image: str) -> str:
        """The image's architecture in the engine's words: amd64, arm64."""
        with _translated("the engine"):
            found: Any = self._client.inspect_image(image)  # type: ignore[no-untyped-call]
        return str(found["Architecture"])

    def tag(self, image: str, repository: str, tag: str) -> None:
        with _translated("the engine"):
            self._client.tag(image, repository, tag)

    def push(
        self, repository: str, tag: str, *, username: str, password: str
    ) -> Iterator[Progress]:
        """Push one tag; the last item's `result` is the digest. Raises PushBroken, TagTaken."""
        digest = reason = ""
        with _translated("the push"):
            # Given with each push, so that nothing is kept in memory or in ~/.docker/config.json;
            # the SDK's `login` would answer with yesterday's token when it knows one.
            stream = self._client.push(
                repository,
                tag=tag,
                stream=True,
                decode=True,
                auth_config={"username": username, "password": password},
            )
            for item in cast("Iterable[dict[str, Any]]", stream):
                reason = reason or str(item.get("error", ""))
                digest = item.get("aux", {}).get("Digest", digest)
                text = str(item.get("status", "")).rstrip()
                if text:
                    yield _progress(item, text)
        if reason:
            raise _push_error(reason, repository, tag)
        if not digest:
            raise PushBroken(f"the engine ended the push of `{repository}:{tag}` without a digest")
        yield Progress("pushed", result=digest)


def connect() -> Engine:
    """The engine that the docker CLI would use, ready for a long build."""
    client = reach(
        address(os.environ),
        timeout=10,
        hint="start Docker, or roll an image that exists: opsctl update-tasks --image REF",
    )
    client.timeout = _SILENCE
    return Engine(client)


def address(environ: Mapping[str, str]) -> dict[str, Any]:
    """Where the docker CLI looks for an engine, as arguments of the SDK's client: DOCKER_HOST,
    then its current context. A `base_url` of None is the SDK's default socket."""
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        # The SDK takes an empty mapping for none and reads the process's own environment.
        settings = cast("dict[str, Any]", kwargs_from_env(environ or {"DOCKER_HOST": ""}))
        if "base_url" not in settings:
            name = environ.get("DOCKER_CONTEXT")
            context = ContextAPI.get_context(name)
            if name and context is None:  # the SDK would go on to the default socket
                raise DockerException(f"there is no context `{name}`")
            settings["base_url"] = context.Host if context else None
    except DockerException as error:
        raise DockerError(
            f"no Docker engine can be found: {error}", hint="docker context ls"
        ) from error
    return settings


def reach(settings: Mapping[str, Any], *, timeout: int, hint: str) -> "APIClient":
    """A client of an engine that answers. `timeout` is of each call, in seconds."""
    from docker import APIClient
    from docker.errors import DockerException

    try:
        return APIClient(version="auto", timeout=timeout, **settings)
    except (DockerException, ValueError) as error:  # ValueError: a port that is none
        where = settings.get("base_url") or "the default socket"
        raise DockerError(f"no Docker engine answers at {where}", hint=hint) from error


def included(directory: Path, dockerfile: str) -> tuple[str, ...]:
    """The paths of a build context, `.dockerignore` applied as the docker CLI does, sorted."""
    from docker.utils import exclude_paths

    ignore = directory / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    # What opsctl itself leaves there decides no image: a recording would be a reason to build.
    patterns.append(".opsctl")
    return tuple(sorted(exclude_paths(str(directory), patterns, dockerfile=dockerfile)))


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise DockerError(f"{what} was refused: {error.explanation or error}") from error
    except (DockerException, RequestException, OSError) as error:
        raise DockerError(
            f"{what} broke off: the Docker engine stopped answering",
            hint="start the engine and run the same command again; nothing was recorded",
        ) from error


def _progress(item: Mapping[str, Any], text: str) -> Progress:
    detail = item.get("progressDetail") or {}
    return Progress(
        text=text,
        layer=str(item.get("id", "")),
        current=int(detail.get("current") or 0),
        total=int(detail.get("total") or 0),
    )


def _build_error(reason: str, lines: Iterable[str]) -> DockerError:
    hint = None
    if "no space left" in reason:
        hint = "the engine's disk is full: docker system prune"
    elif "pull access denied" in reason or "manifest unknown" in reason:
        hint = "the Dockerfile's FROM names an image that cannot be pulled"
    return DockerError(_with_lines(f"the build failed: {reason.strip()}", lines), hint=hint)


def _push_error(reason: str, repository: str, tag: str) -> DockerError:
    what = f"the push of `{repository}:{tag}` failed: {reason.strip()}"
    if "immutable" in reason or "already exists" in reason:
        return TagTaken(what)
    if any(words in reason for words in _DENIED):
        return DockerError(
            what, hint="allow this caller ecr:PutImage and the layer uploads on the repository"
        )
    if any(words in reason for words in _TRANSIENT):
        return PushBroken(what, hint="run the same command again; finished layers are kept")
    return DockerError(what)


def _with_lines(message: str, lines: Iterable[str]) -> str:
    return "\n".join([message, *(f"    {line}" for line in lines)])
