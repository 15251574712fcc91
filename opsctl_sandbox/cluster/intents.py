"""What the simulation wants done outside: start and stop tasks, register targets, write lines."""

from dataclasses import dataclass
from typing import Literal

from opsctl_sandbox.cluster.values import TaskDefinition


@dataclass(frozen=True, slots=True)
class StartTask:
    """Start the task's containers; answer with `Engine.task_started` or `task_exited`."""

    task: str
    instance: str
    definition: TaskDefinition
    host_ports: tuple[tuple[str, int, int], ...]
    """(container name, container port, host port); the host port may be changed by the answer."""
    images: tuple[tuple[str, str], ...] = ()
    """(container name, the image to pull, by digest where the deployment pinned one)."""


@dataclass(frozen=True, slots=True)
class StopTask:
    """Send TERM, and KILL after `timeout`; answer with `Engine.task_exited`."""

    task: str
    timeout: float


@dataclass(frozen=True, slots=True)
class RegisterTarget:
    """Check the target and report with `Engine.target_health`."""

    target_group: str
    instance: str
    port: int
    task: str


@dataclass(frozen=True, slots=True)
class DeregisterTarget:
    """Drain the target for `delay` seconds, then remove it."""

    target_group: str
    instance: str
    port: int
    task: str
    delay: float


@dataclass(frozen=True, slots=True)
class TargetHealthy:
    """The target became healthy (True: route to it) or unhealthy."""

    target_group: str
    instance: str
    port: int
    task: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class WriteLog:
    """Lines that a simulated process or agent wrote. `source` says which log group they go to."""

    source: Literal["task", "agent", "ecs", "start"]
    subject: str
    """The task's ARN, or the instance's id."""
    lines: tuple[str, ...]


Intent = StartTask | StopTask | RegisterTarget | DeregisterTarget | TargetHealthy | WriteLog
