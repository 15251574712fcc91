"""ECS on EC2 as a pure, seeded simulation with its own clock: the surface the sandbox calls.

No wall time, no I/O, no threads: the caller says what time it is (`advance`), takes the intents
that came out (`intents`) and may report what real processes did. Same seed, same calls: same
history.
"""

import random
from collections.abc import Iterable

from opsctl.sandbox.cluster.failures import Failure, Failures
from opsctl.sandbox.cluster.timings import Timings
from opsctl.sandbox.cluster.values import (
    Document,
    Group,
    GroupSpec,
    Intent,
    Service,
    ServiceSpec,
    Task,
    TaskDefinition,
)
from opsctl.sandbox.cluster.world import World


class Engine:
    """One simulated Region. Read its state from `world`; change it only through methods."""

    def __init__(
        self,
        seed: int = 0,
        *,
        timings: Timings | None = None,
        failures: Iterable[Failure] = (),
        account: str = "000000000000",
        region: str = "us-east-1",
        real_tasks: bool = False,
    ) -> None:
        """With `real_tasks`, a placed task waits for `task_started`, a stopping one for
        `task_exited` (killed by the simulation ten seconds after its stop timeout), and a target
        for `target_health`; without, the clocks of `timings` decide."""
        self.world = World(
            random.Random(seed),
            timings or Timings(),
            Failures(list(failures)),
            account,
            region,
            real_tasks,
        )

    # -- time and the outside --------------------------------------------------------------------

    def advance(self, to: float) -> None:
        """Let everything happen up to simulated second `to`; earlier than now is no change."""
        raise NotImplementedError

    def intents(self) -> list[Intent]:
        """What the simulation wants done since the last call, oldest first."""
        raise NotImplementedError

    def task_started(self, task: str, ports: dict[int, int] | None = None) -> None:
        """The task's containers run; `ports` maps container ports to the real host ports.
        An unknown or already stopped task is ignored."""
        raise NotImplementedError

    def task_exited(self, task: str, code: int, reason: str = "") -> None:
        """The task's essential container ended; also the answer to `StopTask`."""
        raise NotImplementedError

    def target_health(
        self, target_group: str, instance: str, port: int, ok: bool, reason: str = ""
    ) -> None:
        """One health check's result; `reason` is an Elbv2 reason code
        (`Target.Timeout`, `Target.FailedHealthChecks`). Thresholds are counted here."""
        raise NotImplementedError

    def plan_failures(self, failures: Iterable[Failure]) -> None:
        """Replace the planned failures."""
        raise NotImplementedError

    def disconnect_agent(self, instance: str, connected: bool = False) -> None:
        """Cut (or mend) the agent's connection of an instance."""
        raise NotImplementedError

    # -- task definitions and tasks --------------------------------------------------------------

    def register(self, document: Document) -> TaskDefinition:
        """Register the next revision of a family; every member of the document is kept."""
        raise NotImplementedError

    def run_task(
        self, cluster: str, definition: str, *, overrides: Document, started_by: str = ""
    ) -> Task | str:
        """Place one task outside any service; a string is the failure's reason."""
        raise NotImplementedError

    def stop_task(self, task: str, reason: str = "") -> Task:
        """Stop a task as its owner asked (`UserInitiated`). Raises KeyError."""
        raise NotImplementedError

    # -- services --------------------------------------------------------------------------------

    def create_service(self, spec: ServiceSpec) -> Service:
        """Create a service and its first deployment."""
        raise NotImplementedError

    def update_service(self, spec: ServiceSpec, *, force: bool = False) -> Service:
        """Give an active service a new specification; a new task definition, or `force`, begins a
        new deployment."""
        raise NotImplementedError

    def delete_service(self, cluster: str, name: str) -> Service:
        """Drain a service: its tasks stop, then it is INACTIVE."""
        raise NotImplementedError

    # -- instances -------------------------------------------------------------------------------

    def create_group(self, spec: GroupSpec) -> Group:
        """Create an Auto Scaling group; its instances launch, boot, join and signal."""
        raise NotImplementedError

    def update_group(self, spec: GroupSpec, cause: str = "") -> Group:
        """Change desired, minimum, maximum or the launch document."""
        raise NotImplementedError

    def delete_group(self, name: str) -> None:
        """Terminate its instances and, once they are gone, forget the group."""
        raise NotImplementedError

    def drain_instance(self, instance: str, draining: bool = True) -> None:
        """Set a container instance DRAINING (its service tasks are replaced) or ACTIVE."""
        raise NotImplementedError
