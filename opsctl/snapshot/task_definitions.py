"""Read task definitions. A revision never changes, so each is read once."""

import hashlib
import heapq
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from opsctl.snapshot.together import together

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
    """A task definition. `cpu` in CPU units, `memory` in MiB, as the scheduler reserves them.

    `host_ports` are the fixed ones. `secrets` are pairs of a name and its `valueFrom`. For
    environment variables only names and hashes of values are kept, because a value may be a secret.
    """

    arn: str
    images: tuple[str, ...]
    cpu: int = 0
    memory: int = 0
    host_ports: frozenset[int] = frozenset()
    logs: tuple[LogStream, ...] = ()
    environment: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def revision(self) -> str:
        return self.arn.rpartition("/")[2]


def hashed(name: str, value: str) -> str:
    """Return a hash to compare values by. It contains the name, so equal values of other variables
    differ.
    """
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:12]


def describe(ecs: "ECSClient", arn: str) -> TaskDefinition:
    return _definition(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"])


def deregistered(ecs: "ECSClient", arn: str) -> str:
    """Return the revision if somebody deregistered or deleted it, else ''.

    Its service runs on, and ECS takes it for nothing new.
    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
    """
    revision = arn.rpartition("/")[2]
    try:
        answer = ecs.describe_task_definition(taskDefinition=arn)
    except ecs.exceptions.ClientException:
        return revision
    return "" if answer["taskDefinition"].get("status", "ACTIVE") == "ACTIVE" else revision


def newest(ecs: "ECSClient", family: str, *, count: int = 12) -> tuple[TaskDefinition, ...]:
    """Return the family's newest revisions, newest first.

    Inactive ones are included: CloudFormation deregisters the revision that it replaces.
    """
    list_pages = ecs.get_paginator("list_task_definitions").paginate
    arns: list[str] = []
    for status in ("ACTIVE", "INACTIVE"):
        pages = list_pages(familyPrefix=family, status=status, sort="DESC")
        listed = (arn for page in pages for arn in page["taskDefinitionArns"])
        # The prefix also matches other families.
        own = (arn for arn in listed if arn.rpartition("/")[2].rpartition(":")[0] == family)
        arns += islice(own, count)
    last = heapq.nlargest(count, arns, key=lambda arn: int(arn.rpartition(":")[2]))
    return tuple(together([partial(describe, ecs, arn) for arn in last]))


def _definition(definition: "TaskDefinitionTypeDef") -> TaskDefinition:
    containers = definition.get("containerDefinitions", [])
    ports = [mapping for container in containers for mapping in container.get("portMappings", ())]
    environment = [
        (pair.get("name", ""), pair.get("value", ""))
        for one in containers
        for pair in one.get("environment", ())
    ]
    return TaskDefinition(
        arn=definition.get("taskDefinitionArn", ""),
        images=tuple(container.get("image", "") for container in containers),
        cpu=int(definition.get("cpu") or sum(int(one.get("cpu", 0)) for one in containers)),
        memory=int(definition.get("memory") or sum(map(_reserved, containers))),
        host_ports=frozenset(port["hostPort"] for port in ports if port.get("hostPort")),
        logs=tuple(filter(None, map(_log_stream, containers))),
        environment=tuple(name for name, _ in environment),
        variables=tuple((name, hashed(name, value)) for name, value in environment),
        secrets=tuple(
            (secret["name"], secret["valueFrom"])
            for one in containers
            for secret in one.get("secrets", ())
        ),
    )


def _reserved(container: "ContainerDefinitionOutputTypeDef") -> int:
    """Return the memory that ECS reserves: the soft limit if there is one, else the hard limit."""
    return int(container.get("memoryReservation") or container.get("memory") or 0)


def _log_stream(container: "ContainerDefinitionOutputTypeDef") -> LogStream | None:
    configuration = container.get("logConfiguration")
    options = configuration.get("options", {}) if configuration else {}
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if configuration is None or configuration.get("logDriver") != "awslogs":
        return None
    return LogStream(group, prefix, container.get("name", "")) if group and prefix else None
