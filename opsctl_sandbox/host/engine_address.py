"""Where the docker CLI looks for an engine, and a client of the engine that answers there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from opsctl_sandbox.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient


def address(environ: Mapping[str, str]) -> dict[str, Any]:
    """DOCKER_HOST, then the CLI's current context, as arguments of the SDK's client.

    A `base_url` of None is the SDK's default socket. Raises EngineError for an unknown context.
    """
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
        raise EngineError(
            f"no Docker engine can be found: {error}", hint="docker context ls"
        ) from error
    return settings


def connect(settings: Mapping[str, Any], *, timeout: int, hint: str) -> "APIClient":
    """A client of an engine that answers. `timeout` is seconds for each call."""
    from docker import APIClient
    from docker.errors import DockerException

    try:
        return APIClient(version="auto", timeout=timeout, **settings)
    except (DockerException, ValueError) as error:  # ValueError: not a port number
        where = settings.get("base_url") or "the default socket"
        raise EngineError(f"no Docker engine answers at {where}", hint=hint) from error
