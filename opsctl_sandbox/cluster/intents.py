"""What the simulation wants done outside: tasks started, stopped and registered, lines written."""

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
    """Send TERM, after `timeout` KILL; answer with `Engine.task_exited`."""

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
    """Drain the target for `delay` seconds, then forget it."""

    target_group: str
    instance: str
    port: int
    task: str
    delay: float


@dataclass(frozen=True, slots=True)
class TargetHealthy:
    """The target's state became healthy (True: route to it) or unhealthy."""

    target_group: str
    instance: str
    port: int
    task: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class WriteLog:
    """Lines that a simulated process or agent wrote; `source` names the log group's role."""

    source: Literal["task", "agent", "ecs", "start"]
    subject: str
    """The task's ARN, or the instance's id."""
    lines: tuple[str, ...]


Intent = StartTask | StopTask | RegisterTarget | DeregisterTarget | TargetHealthy | WriteLog
