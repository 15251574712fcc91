"""The Docker engine through the SDK: the classic builder, which every engine has, and the push.

The engine reports errors inside a stream with status 200. They are raised here, with the last lines
of the output.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from opsctl.docker import buildx, push_errors
from opsctl.docker.buildx import Buildx
from opsctl.docker.progress import BuildRequest, Progress, build_error, plain, with_lines
from opsctl.docker.push_errors import PushBroken
from opsctl.errors import DockerError

if TYPE_CHECKING:
    from docker import APIClient

_LAST_LINES = 12
# What an answer of another form than the engine's leads to; StreamParseError is a RuntimeError.
_ODD = (ValueError, LookupError, TypeError, AttributeError, RuntimeError)
# Seconds. A `RUN` step may be silent for long, and the engine has answered before this counts.
_SILENCE = 1800
_REGISTRY_TIMEOUT = 10  # seconds to wait for a registry that may not be reachable


class Engine:
    """The engine. Builds with `buildx` instead of the classic builder, if given."""

    def __init__(self, client: "APIClient", buildx: Buildx | None = None) -> None:
        self._client = client
        self._buildx = buildx

    def close(self) -> None:
        self._client.close()

    def build(self, context: IO[bytes], request: BuildRequest) -> Iterator[Progress]:
        """Build and yield the output line by line. The last item's `result` names the image."""
        if self._buildx is not None:
            yield from self._buildx.build(context, request)
            return
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        with _translated("the build"):
            stream = self._client.build(
                fileobj=context,
                custom_context=True,
                dockerfile=request.dockerfile,
                tag=request.tag,
                target=request.target,
                labels=dict(request.labels),
                buildargs=dict(request.arguments),
                platform=request.platform,
                network_mode=request.network,
                pull=request.pull,
                nocache=request.fresh,
                rm=True,
                forcerm=True,
                decode=True,
            )
            image = reason = ""
            # Read on after an error: the connection is free only at the end of the stream.
            for item in cast("Iterable[dict[str, Any]]", stream):
                reason = reason or str(item.get("error", ""))
                image = item.get("aux", {}).get("ID", image)
                text = plain(str(item.get("stream") or item.get("status") or ""))
                if text:
                    lines.append(text)
                    yield _progress(item, text)
        if reason:
            raise build_error(reason, lines)
        if not image:
            raise DockerError(with_lines("the engine ended the build without an image", lines))
        yield Progress("built", result=image)

    def architecture(self, image: str) -> str:
        """Return the image's architecture in the engine's words: amd64, arm64."""
        with _translated("the engine"):
            description: Any = self._client.inspect_image(image)  # type: ignore[no-untyped-call]
            return str(description["Architecture"])

    def local_digests(self, image: str) -> tuple[str, ...]:
        """Return the image's digests in the engine, or its id if it was never pulled."""
        from docker.errors import DockerException

        try:
            description: Any = self._client.inspect_image(image)  # type: ignore[no-untyped-call]
            pulled = [one.partition("@")[2] for one in description.get("RepoDigests") or ()]
            return tuple(pulled) or (str(description["Id"]),)
        except (DockerException, OSError, *_ODD):
            return ()

    def registry_digest(self, image: str) -> str:
        """Return the image's digest in its registry, without a pull; '' when it cannot be read."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        timeout, self._client.timeout = self._client.timeout, _REGISTRY_TIMEOUT
        try:
            description: Any = self._client.inspect_distribution(image)  # type: ignore[no-untyped-call]
            return str(description.get("Descriptor", {}).get("digest", ""))
        except (DockerException, RequestException, OSError, *_ODD):
            return ""
        finally:
            self._client.timeout = timeout

    def tag(self, image: str, repository: str, tag: str) -> None:
        with _translated("the engine"):
            self._client.tag(image, repository, tag)

    def push(
        self, repository: str, tag: str, *, username: str, password: str
    ) -> Iterator[Progress]:
        """Push one tag. The last item's `result` is the digest. Raises PushBroken, TagTaken."""
        digest, refusal = "", None
        with _translated("the push"):
            # Passed with each push, so that nothing is kept in memory or in ~/.docker/config.json.
            # The SDK's `login` would return yesterday's token if it has one.
            stream = self._client.push(
                repository,
                tag=tag,
                stream=True,
                decode=True,
                auth_config={"username": username, "password": password},
            )
            for item in cast("Iterable[dict[str, Any]]", stream):
                refusal = refusal or push_errors.read(item, f"{repository}:{tag}")
                digest = item.get("aux", {}).get("Digest", digest)
                text = str(item.get("status", "")).rstrip()
                if text:
                    yield _progress(item, text)
        if refusal is not None:
            raise refusal
        if not digest:
            raise PushBroken(f"the engine ended the push of `{repository}:{tag}` without a digest")
        yield Progress("pushed", result=digest)


def connect() -> Engine:
    """Connect to the engine that the docker CLI would use, with timeouts for a long build."""
    client = reach(
        address(os.environ),
        timeout=10,
        hint="start Docker, or roll an image that exists: opsctl update-tasks --image REF; "
        "the sandbox packs one and prints its REF: opsctl sandbox image",
    )
    client.timeout = _SILENCE
    return Engine(client, buildx.find())


def address(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return arguments for the SDK's client: DOCKER_HOST, else the docker CLI's current context.

    A `base_url` of None is the SDK's default socket.
    """
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        # The SDK takes an empty mapping for None, and then reads the process's own environment.
        settings = cast("dict[str, Any]", kwargs_from_env(environ or {"DOCKER_HOST": ""}))
        if "base_url" not in settings:
            name = environ.get("DOCKER_CONTEXT")
            context = ContextAPI.get_context(name)
            if name and context is None:  # the SDK would silently use the default socket
                raise DockerException(f"there is no context `{name}`")
            settings["base_url"] = context.Host if context else None
    except DockerException as error:
        raise DockerError(
            f"no Docker engine can be found: {error}", hint="docker context ls"
        ) from error
    except (OSError, *_ODD) as error:
        raise DockerError(
            f"no Docker engine can be found: docker's config.json cannot be read ({error})",
            hint="correct ~/.docker/config.json, or name the engine in DOCKER_HOST",
        ) from error
    return settings


def reach(settings: Mapping[str, Any], *, timeout: int, hint: str) -> "APIClient":
    """Return a client of an engine that answers. `timeout` is per call, in seconds."""
    from docker import APIClient
    from docker.errors import DockerException

    where = settings.get("base_url") or "the default socket"
    silent = DockerError(f"no Docker engine answers at {where}", hint=hint)
    socket = str(where).removeprefix("unix://")
    if socket.startswith("/") and not Path(socket).exists():
        raise silent  # the SDK would leave its own socket open
    try:
        return APIClient(version="auto", timeout=timeout, **settings)
    except (DockerException, OSError, *_ODD) as error:  # ValueError: the port is invalid
        raise silent from error


def included(directory: Path, dockerfile: str) -> tuple[str, ...]:
    """Return the paths of a build context, sorted.

    Applies `.dockerignore` as the docker CLI does.
    """
    from docker.utils import exclude_paths

    ignore = directory / ".dockerignore"
    text = ignore.read_bytes() if ignore.is_file() else b""
    # As the names of files are read, so that each matches its own.
    lines = text.decode("utf-8-sig", errors="surrogateescape").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    # opsctl's own files must not change the hash: each recording would cause a build.
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
    except _ODD as error:
        raise DockerError(
            f"{what} broke off: what answers is no Docker engine",
            hint="check DOCKER_HOST and `docker context ls`, then run the same command again",
        ) from error


def _progress(item: Mapping[str, Any], text: str) -> Progress:
    detail = item.get("progressDetail") or {}
    return Progress(
        text=text,
        layer=str(item.get("id", "")),
        current=int(detail.get("current") or 0),
        total=int(detail.get("total") or 0),
    )
