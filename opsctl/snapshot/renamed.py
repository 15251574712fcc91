"""Read what has names of opsctl.yaml. After a rename there, until the next `up`, the live system
still has the old names: those of its stacks' outputs.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from opsctl.snapshot import cache, instances, service, service_deployments, stacks, tasks
from opsctl.snapshot.cache import Cache
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.service import Service
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.snapshot import Kind, Names
from opsctl.snapshot.tasks import Task

if TYPE_CHECKING:
    from opsctl.aws import Clients

R = TypeVar("R")


class Renamed:
    """Reads by the config's names; where there is nothing, by those that the stacks gave.

    For one snapshot, whose parts are read side by side: each stack is described once at most.
    """

    def __init__(self, clients: "Clients", names: Names) -> None:
        self._clients = clients
        self._names = names
        self._lock = threading.Lock()
        self._known: dict[Kind, Names] = {}

    def service(self) -> Service | None:
        ecs = self._clients.ecs
        return self._read("ecs", lambda names: service.describe(ecs, names.cluster, names.service))

    def tasks(self) -> tuple[Task, ...]:
        ecs = self._clients.ecs
        return self._read("ecs", lambda names: tasks.read(ecs, names.cluster, names.service))

    def instances(self) -> tuple[ContainerInstance, ...]:
        ecs = self._clients.ecs
        return self._read("ecs", lambda names: instances.read(ecs, names.cluster))

    def service_deployments(self) -> tuple[ServiceDeployment, ...]:
        ecs, read = self._clients.ecs, service_deployments.read
        return self._read("ecs", lambda names: read(ecs, names.cluster, names.service))

    def cache(self) -> Cache | None:
        elasticache = self._clients.elasticache

        def read(names: Names) -> Cache | None:
            described = cache.replication_group if names.replicated else cache.cluster
            return described(elasticache, names.cache)

        return self._read("db", read)

    def _read(self, kind: Kind, read: Callable[[Names], R]) -> R:
        value = read(self._names)
        if value:
            return value
        with self._lock:
            if kind not in self._known:
                self._known[kind] = self._made(kind)
            made = self._known[kind]
        return read(made) if made != self._names else value

    def _made(self, kind: Kind) -> Names:
        names = self._names
        state = stacks.describe(self._clients.cloudformation, names.stacks[kind])
        outputs = state.outputs if state is not None else {}
        if kind == "ecs":
            cluster = outputs.get("ClusterName", names.cluster)
            service = outputs.get("ServiceName", names.service)
            return replace(names, cluster=cluster, service=service)
        for output, replicated in (("CacheClusterId", False), ("ReplicationGroupId", True)):
            if output in outputs:
                return replace(names, cache=outputs[output], replicated=replicated)
        return names
