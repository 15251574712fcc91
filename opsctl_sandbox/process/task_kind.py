"""Decide what a task is in this sandbox, before `up` reports that it is ready."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from opsctl_sandbox.errors import EngineError, SandboxError
from opsctl_sandbox.host import engine_address
from opsctl_sandbox.process.home import Tasks

if TYPE_CHECKING:
    from opsctl_sandbox.host.container_engine import ContainerEngine

# Seconds. `up` must be ready in three, even if an engine hangs; with `docker` the user waits.
_ANSWERS_WITHIN = {"auto": 1, "docker": 10}
# A starting container may be slow on a busy machine.
_WORKS_WITHIN = 60
_WITHOUT = "opsctl sandbox up --tasks process"


@dataclass(frozen=True)
class TaskKind:
    """`because` is a sentence for `up`. Only `docker` has an engine."""

    tasks: Literal["docker", "process", "none"]
    because: str
    engine: "ContainerEngine | None" = None


def choose(wanted: Tasks, environ: Mapping[str, str]) -> TaskKind:
    """Choose. `environ` is the user's, with the DOCKER_HOST that the docker CLI would see.

    Raises EngineError for `docker` when no engine can run containers.
    """
    if wanted == "none":
        return TaskKind("none", "tasks are simulated only (--tasks none)")
    if wanted == "process":
        return TaskKind("process", "tasks are processes on this machine (--tasks process)")
    try:
        engine = _local_engine(environ, _ANSWERS_WITHIN[wanted])
    except SandboxError as error:
        if wanted == "docker":
            raise
        return TaskKind("process", f"tasks are processes on this machine: {error.message}")
    return TaskKind("docker", f"tasks are containers: the engine at {engine.where} answers", engine)


def engine_at(where: str) -> "ContainerEngine":
    """Return the engine of an earlier choice. Raises EngineError when it no longer answers."""
    from opsctl_sandbox.host.container_engine import ContainerEngine

    within = _ANSWERS_WITHIN["docker"]
    client = engine_address.connect({"base_url": where}, timeout=within, hint="start it again")
    client.timeout = _WORKS_WITHIN
    return ContainerEngine(client, where)


def _local_engine(environ: Mapping[str, str], within: int) -> "ContainerEngine":
    settings = engine_address.address(environ)
    where = str(settings["base_url"] or "unix:///var/run/docker.sock")
    if not where.startswith(("unix://", "http+unix://")):
        raise EngineError(
            f"the Docker engine at {where} is not on this machine, so its containers could not "
            "reach the sandbox",
            hint=_WITHOUT,
        )
    client = engine_address.connect(settings, timeout=within, hint=f"start Docker, or {_WITHOUT}")
    # Imported late: without an answering engine its errors are not needed.
    from opsctl_sandbox.host.container_engine import ContainerEngine

    engine = ContainerEngine(client, where)
    lack = lacking(engine.info(), socket.gethostname())
    if lack:
        engine.close()
        raise EngineError(f"the Docker engine at {where} {lack}", hint=_WITHOUT)
    client.timeout = _WORKS_WITHIN
    return engine


def lacking(info: Mapping[str, Any], hostname: str) -> str:
    """Return why containers of this engine cannot use the sandbox on 127.0.0.1, or ''.

    `info` is what `docker info` shows. Containers need this machine's own loopback.
    """
    security = [str(one) for one in info.get("SecurityOptions") or ()]
    ranges = (info.get("RegistryConfig") or {}).get("InsecureRegistryCIDRs") or ()
    if info.get("Name") != hostname or info.get("OSType") != "linux":
        return f"runs in a machine of its own (`{info.get('Name')}`)"
    if any("rootless" in one or "userns" in one for one in security):
        return "is rootless or maps users: its containers have no network of this machine"
    if "127.0.0.0/8" not in ranges:
        return "takes no images from 127.0.0.1 without TLS"
    return ""
