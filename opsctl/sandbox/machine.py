"""Everything in one sandbox, put together: simulation, repairs, faults, host, and the front."""

from collections.abc import Mapping
from pathlib import Path

from opsctl.sandbox import environment
from opsctl.sandbox.admin import Admin
from opsctl.sandbox.cluster.engine import Engine
from opsctl.sandbox.cluster.timings import Timings
from opsctl.sandbox.cluster.values import StartTask
from opsctl.sandbox.faults import Faults
from opsctl.sandbox.front import Front
from opsctl.sandbox.home import Sandbox
from opsctl.sandbox.host import surroundings
from opsctl.sandbox.host.doors import Doors
from opsctl.sandbox.host.host import Host
from opsctl.sandbox.host.meters import Traffic
from opsctl.sandbox.host.processes import Processes
from opsctl.sandbox.inside import Inside
from opsctl.sandbox.operations import cloudformation, neighbours, scenario
from opsctl.sandbox.operations import table as simulated
from opsctl.sandbox.operations.simulation import Simulation, real_time
from opsctl.sandbox.repairs import launch_configurations
from opsctl.sandbox.repairs import table as repaired
from opsctl.sandbox.wire.http import Application

_ANSWERS_STOP = 10.0  # wall seconds


class Machine:
    def __init__(
        self, ministack: Application, sandbox: Sandbox, home: Path, environ: Mapping[str, str]
    ) -> None:
        settings = sandbox.settings
        engine = Engine(
            settings.seed,
            account=settings.account,
            region=settings.region,
            # A real task takes real time to stop, however fast the clock runs.
            timings=Timings(answer_stop=_ANSWERS_STOP * max(1.0, settings.speed)),
            real_tasks=settings.tasks != "none",
            digest_of=neighbours.digest,
        )
        self.simulation = Simulation(engine, speed=settings.speed, clock=real_time)
        traffic = Traffic()
        cloudformation.install(self.simulation)
        launch_configurations.install()
        operations = {
            **repaired.operations(f"127.0.0.1:{sandbox.port}", traffic.count),
            **simulated.operations(self.simulation),
        }
        inside = Inside(ministack, operations, account=settings.account, region=settings.region)
        variables = environment.variables(sandbox)

        async def given(intent: StartTask) -> Mapping[str, str]:
            return await surroundings.environment(intent, inside, variables)

        self.host = Host(
            self.simulation,
            inside,
            launcher=Processes(
                home / "images", registry=sandbox.endpoint, environ=environ, environment=given
            ),
            limit=settings.max_processes,
            traffic=traffic,
            cache_port=sandbox.cache_port if sandbox.redis else None,
        )
        self.doors = Doors(self.host.balancer)
        operations |= self.doors.operations()
        faults = Faults(home / "faults.json", seed=settings.seed)
        pages = {"/_sandbox/metadata/": self._metadata, **scenario.pages(self.simulation)}
        admin = Admin(faults, pages)
        self.front = Front(
            ministack, operations, faults=faults, admin=admin, account=settings.account
        )

    def _metadata(self, below: str) -> dict[str, object]:
        """`TASK-ID/task`, as a container asks for it."""
        identifier = below.partition("/")[0]
        for task in self.simulation.world().tasks.values():
            if task.id == identifier:
                return surroundings.metadata(task)
        raise KeyError(f"no task {identifier}")
