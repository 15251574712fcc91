"""The log sources, one row each. Everything that knows them reads this table.

A row gives a source its key under `logs`, its log group, the right to write to it, its line in the
CloudWatch agent's configuration, and its place in `logs` and `metrics`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log source. `writer` is the role that writes. The CloudWatch agent reads `file` on the
    instance.

    `stream` is the stream's name in the agent's syntax; `${Cluster}` is filled by Fn::Sub.
    """

    name: str
    tells: str
    per: Literal["task", "instance"]
    writer: Literal["task", "execution", "instance"]
    file: str = ""
    stream: str = ""

    @property
    def logical_id(self) -> str:
        return f"{self.name.capitalize()}LogGroup"


SOURCES = (
    LogSource("app", "errors of the filter chain", "task", "task"),
    LogSource("stdout", "container output", "task", "execution"),
    LogSource(
        "ecs",
        "ECS on the host",
        "instance",
        "instance",
        "/var/log/ecs/ecs-init.log",
        "{instance_id}",
    ),
    LogSource(
        "agent",
        "the ECS agent",
        "instance",
        "instance",
        "/var/log/ecs/ecs-agent.log",
        "${Cluster}/{instance_id}",
    ),
)
NAMES = tuple(source.name for source in SOURCES)

# What an instance that cannot start writes on its console around the ends of its logs.
START_LOG_BEGINS = "opsctl: this instance cannot start"
START_LOG_ENDS = "opsctl: end of what this instance tells"
