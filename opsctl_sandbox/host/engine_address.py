"""Find the engine that the docker CLI would use, and connect to it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from opsctl_sandbox.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient


def address(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return DOCKER_HOST, else the CLI's current context, as arguments of the SDK's client.

    A `base_url` of None is the SDK's default socket. Raises EngineError for an unknown context.
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
        raise EngineError(
            f"no Docker engine can be found: {error}", hint="docker context ls"
        ) from error
    return settings


def connect(settings: Mapping[str, Any], *, timeout: int, hint: str) -> "APIClient":
    """Return a client of an engine that answers. `timeout` is per call, in seconds."""
    from docker import APIClient
    from docker.errors import DockerException

    try:
        return APIClient(version="auto", timeout=timeout, **settings)
    except (DockerException, ValueError) as error:  # ValueError: the port is invalid
        where = settings.get("base_url") or "the default socket"
        raise EngineError(f"no Docker engine answers at {where}", hint=hint) from error
