"""What a task definition asks for. A revision never changes, so it is read once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef, TaskDefinitionTypeDef


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where the awslogs driver writes a container's output: stream `PREFIX/CONTAINER/TASK`."""

    group: str
    prefix: str
    container: str

    def name(self, task: str) -> str:
        return f"{self.prefix}/{self.container}/{task}"


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """`cpu` in CPU units (1,024 are one vCPU), `memory` in MiB, as the scheduler reserves them.

    `host_ports` are the fixed ones. `secrets` are names with their `valueFrom`; of environment
    variables only the names are kept, because a value may be a secret in clear.
    """

    arn: str
    images: tuple[str, ...]
    cpu: int = 0
    memory: int = 0
    host_ports: frozenset[int] = frozenset()
    logs: tuple[LogStream, ...] = ()
    environment: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()

    @property
    def revision(self) -> str:
        return self.arn.rpartition("/")[2]


def describe(ecs: "ECSClient", arn: str) -> TaskDefinition:
    return _definition(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"])


def _definition(definition: "TaskDefinitionTypeDef") -> TaskDefinition:
    containers = definition.get("containerDefinitions", [])
    ports = [mapping for container in containers for mapping in container.get("portMappings", ())]
    return TaskDefinition(
        arn=definition.get("taskDefinitionArn", ""),
        images=tuple(container.get("image", "") for container in containers),
        cpu=int(definition.get("cpu") or sum(int(one.get("cpu", 0)) for one in containers)),
        memory=int(definition.get("memory") or sum(map(_reserved, containers))),
        host_ports=frozenset(port["hostPort"] for port in ports if port.get("hostPort")),
        logs=tuple(filter(None, map(_log_stream, containers))),
        environment=tuple(
            pair.get("name", "") for one in containers for pair in one.get("environment", ())
        ),
        secrets=tuple(
            (secret["name"], secret["valueFrom"])
            for one in containers
            for secret in one.get("secrets", ())
        ),
    )


def _reserved(container: "ContainerDefinitionOutputTypeDef") -> int:
    """ECS places by the soft limit where there is one."""
    return int(container.get("memoryReservation") or container.get("memory") or 0)


def _log_stream(container: "ContainerDefinitionOutputTypeDef") -> LogStream | None:
    configuration = container.get("logConfiguration")
    options = configuration.get("options", {}) if configuration else {}
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if configuration is None or configuration.get("logDriver") != "awslogs":
        return None
    return LogStream(group, prefix, container.get("name", "")) if group and prefix else None
