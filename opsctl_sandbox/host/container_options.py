"""Translate an ECS container definition into options of the Docker SDK. Pure."""

import resource
from collections.abc import Callable, Mapping
from typing import Any

from opsctl_sandbox.cluster.values import Document

# The engine's minimum.
_SHARES = 2


def container(definition: Document) -> dict[str, Any]:
    """Return the overrides of the image's settings. The image's own health check does not run."""
    names = {
        "command": "command",
        "entryPoint": "entrypoint",
        "user": "user",
        "workingDirectory": "working_dir",
    }
    overrides = {ours: definition[name] for name, ours in names.items() if definition.get(name)}
    # ECS ignores the image's check, and a Python every ten seconds is heavy on small machines.
    return {**overrides, "healthcheck": {"Test": ["NONE"]}}


def host(definition: Document, *, limit: Callable[[str], int | None]) -> dict[str, Any]:
    """Return the host config. `limit` returns this machine's highest value of a ulimit, or None.

    An engine does not start a container with a higher ulimit than the machine has.
    """
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    return {
        # See docs/sandbox.md: Redis and the sandbox are on this machine's 127.0.0.1.
        "network_mode": "host",
        "log_config": {"type": "json-file", "config": {"max-size": "10m"}},
        "read_only": bool(definition.get("readonlyRootFilesystem")),
        "init": bool(linux.get("initProcessEnabled")),
        "privileged": bool(definition.get("privileged")),
        "tmpfs": {one["containerPath"]: _mount(one) for one in linux.get("tmpfs") or ()},
        "cap_add": list(capabilities.get("add") or ()),
        "cap_drop": list(capabilities.get("drop") or ()),
        "security_opt": list(definition.get("dockerSecurityOptions") or ()),
        "ulimits": [
            {"Name": one["name"], "Soft": one["softLimit"], "Hard": one["hardLimit"]}
            for one in definition.get("ulimits") or ()
            if _allowed(one, limit)
        ],
        **_size(definition),
    }


def machine_limit(name: str) -> int | None:
    """Return this process's hard limit for a ulimit; 0, which allows none, for an unknown name."""
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if number is None:
        return 0
    hard = resource.getrlimit(number)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def _allowed(ulimit: Mapping[str, Any], limit: Callable[[str], int | None]) -> bool:
    highest = limit(str(ulimit["name"]))
    return highest is None or 0 <= int(ulimit["hardLimit"]) <= highest


def _size(definition: Document) -> dict[str, Any]:
    size: dict[str, Any] = {}
    if definition.get("memory"):
        limit = f"{definition['memory']}m"
        # ECS instances have no swap: a container over its limit is killed.
        size |= {"mem_limit": limit, "memswap_limit": limit}
    if definition.get("memoryReservation"):
        size["mem_reservation"] = f"{definition['memoryReservation']}m"
    if definition.get("cpu"):
        size["cpu_shares"] = max(_SHARES, int(definition["cpu"]))
    return size


def _mount(tmpfs: Mapping[str, Any]) -> str:
    """Return for example `size=64m,rw,noexec`; ECS counts MiB."""
    return ",".join([f"size={tmpfs['size']}m", *(tmpfs.get("mountOptions") or ())])
