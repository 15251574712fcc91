"""Put one sandbox together: simulation, repairs, faults, host, and the front."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl_sandbox.cloudformation import takeover
from opsctl_sandbox.cloudformation.drift import Drift
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.cluster.timings import Timings
from opsctl_sandbox.cluster.world import Need
from opsctl_sandbox.faults import in_the_simulation
from opsctl_sandbox.faults.control import ControlPages
from opsctl_sandbox.faults.on_the_wire import Faults
from opsctl_sandbox.host import container_environment
from opsctl_sandbox.host.caches import Caches
from opsctl_sandbox.host.containers import Containers
from opsctl_sandbox.host.dns_names import DnsNames
from opsctl_sandbox.host.host import Host
from opsctl_sandbox.host.meters import Traffic
from opsctl_sandbox.host.processes import Processes
from opsctl_sandbox.host.runner import Launcher
from opsctl_sandbox.host.stand_in import StandIn
from opsctl_sandbox.images import Registry
from opsctl_sandbox.ministack import (
    account,
    credentials,
    instance_profiles,
    permissions,
    records,
    security_group_rules,
)
from opsctl_sandbox.ministack import caches as cache_records
from opsctl_sandbox.ministack.application import application as ministack
from opsctl_sandbox.ministack.machine_images import MachineImages
from opsctl_sandbox.ministack.network_load_balancers import NetworkLoadBalancers
from opsctl_sandbox.ministack.repairs import (
    alarms,
    change_sets,
    conditions,
    early_validation,
    templates,
)
from opsctl_sandbox.ministack.repairs import table as repaired
from opsctl_sandbox.ministack.repairs.mutes import Mutes
from opsctl_sandbox.ministack.resource_types import ResourceTypes
from opsctl_sandbox.operations import elasticache
from opsctl_sandbox.operations import table as simulated
from opsctl_sandbox.process import environment
from opsctl_sandbox.process.access import METADATA, Access
from opsctl_sandbox.process.front import Front
from opsctl_sandbox.process.home import Sandbox, Settings
from opsctl_sandbox.simulation import Simulation, real_time
from opsctl_sandbox.wire.local_client import LocalClient

if TYPE_CHECKING:
    from opsctl_sandbox.host.container_engine import ContainerEngine

_ANSWERS_STOP = 10.0  # wall seconds


class Assembly:
    def __init__(
        self,
        sandbox: Sandbox,
        home: Path,
        environ: Mapping[str, str],
        engine: "ContainerEngine | None",
        caches: Caches,
    ) -> None:
        """With an engine, tasks are its containers; without, they are processes."""
        # Long, because all parts meet here: each is made once, before those that need it.
        settings = sandbox.settings
        registry, keys = f"127.0.0.1:{sandbox.port}", sandbox.keys
        account.seed(registry=registry)
        cache_records.install(caches.open, caches.join, caches.move, caches.saved)
        images = MachineImages()
        self.simulation = _simulation(settings, images)
        types = _resource_types(self.simulation, images)
        change_sets.install()
        mutes = Mutes()
        alarms.install(mutes)
        templates.install()
        conditions.install()
        early_validation.install()
        traffic = Traffic()
        repairs = repaired.operations(registry, keys.registry_password, traffic.count)
        operations = {
            **repairs,
            **Drift(self.simulation, repairs).operations(),
            **images.operations(),
            **mutes.operations(),
            **elasticache.operations(self.simulation, caches.saved),
            **simulated.operations(self.simulation),
        }
        client = LocalClient(
            ministack, operations, account=settings.account, region=settings.region
        )
        self.host = Host(
            self.simulation,
            client,
            launcher=_launcher(client, sandbox, home, environ, engine),
            limit=settings.max_processes,
            traffic=traffic,
            caches=caches if sandbox.redis else None,
            stand_in=StandIn() if settings.tasks == "none" else None,
        )
        self.dns_names = DnsNames(self.host.balancer)
        operations |= NetworkLoadBalancers(
            types, listen=self.dns_names.listen, close=self.dns_names.close
        ).operations()
        faults = Faults(home / "faults.json", seed=settings.seed)
        metadata = f"{METADATA}{keys.metadata}/"
        pages = {
            metadata: self._metadata,
            "/_sandbox/images": images.page,
            **in_the_simulation.pages(self.simulation),
        }
        self.front = Front(
            ministack,
            operations,
            faults=faults,
            control=ControlPages(faults, pages),
            access=Access(
                keys,
                sandbox.port,
                issued=credentials.key,
                forbidden=permissions.refusal,
                act_for=permissions.act_for,
                skew=faults.skew,
            ),
            account=settings.account,
        )

    def _metadata(self, below: str) -> dict[str, object]:
        """Return the metadata for `TASK-ID/task`, as a container requests it."""
        identifier = below.partition("/")[0]
        for task in self.simulation.world().tasks.values():
            if task.id == identifier:
                return container_environment.metadata(task)
        raise KeyError(f"no task {identifier}")


def _simulation(settings: Settings, images: MachineImages) -> Simulation:
    def holds(need: Need, name: str) -> bool:
        return images.exists(name) if need == "machine image" else records.holds(need, name)

    engine = Engine(
        settings.seed,
        account=settings.account,
        region=settings.region,
        # A real task takes real time to stop, however fast the clock runs.
        timings=Timings(answer_stop=_ANSWERS_STOP * max(1.0, settings.speed)),
        real_tasks=settings.tasks != "none",
        digest_of=records.digest,
        holds=holds,
    )
    return Simulation(engine, speed=settings.speed, clock=real_time)


def _resource_types(simulation: Simulation, images: MachineImages) -> ResourceTypes:
    types = ResourceTypes()
    security_group_rules.install(types)
    instance_profiles.install(types)
    takeover.install(simulation, types, images.images)
    return types


def _launcher(
    client: LocalClient,
    sandbox: Sandbox,
    home: Path,
    environ: Mapping[str, str],
    engine: "ContainerEngine | None",
) -> Launcher:
    keys = sandbox.keys
    variables = environment.variables(sandbox, keys.task)
    metadata = f"{sandbox.endpoint}{METADATA}{keys.metadata}"
    registry = Registry(sandbox.endpoint, keys.registry)

    async def variables_of(intent: StartTask) -> Mapping[str, str]:
        return await container_environment.environment(intent, client, variables, metadata=metadata)

    if engine is None:
        return Processes(
            home / "images", registry=registry, environ=environ, environment=variables_of
        )
    return Containers(
        engine,
        home=home,
        prefix=f"opsctl-{sandbox.settings.name}-{sandbox.pid}",
        registry=f"127.0.0.1:{sandbox.port}",
        password=keys.registry_password,
        environment=variables_of,
    )
