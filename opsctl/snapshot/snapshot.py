"""The whole system at one moment, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Self

from opsctl.aws import FailedCall
from opsctl.config.model import Config
from opsctl.config.sources import NAMES as SOURCES
from opsctl.errors import AwsError
from opsctl.snapshot.alarms import AlarmChange, AlarmState
from opsctl.snapshot.cache import Backup, Cache
from opsctl.snapshot.cache_use import CacheUse
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.instances import ContainerInstance, Group
from opsctl.snapshot.locks import Lock
from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.machine_images import MachineImage
from opsctl.snapshot.mute_rules import MuteRule
from opsctl.snapshot.registry_images import RegistryImage
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.secrets import Secret
from opsctl.snapshot.security_groups import SecurityGroup
from opsctl.snapshot.service import Deployment, Service
from opsctl.snapshot.service_deployments import ServiceDeployment
from opsctl.snapshot.stacks import StackEvent, StackState
from opsctl.snapshot.subnets import Subnet
from opsctl.snapshot.taken import Named
from opsctl.snapshot.targets import Listener, Target, TargetGroup
from opsctl.snapshot.task_definitions import TaskDefinition
from opsctl.snapshot.tasks import Task, ended

# The awslogs driver sends every few seconds, and once more when its container has ended.
_LINES_COME = timedelta(seconds=10)

Part = Literal[
    "stacks", "events", "service", "tasks", "task_definitions", "deregistered", "targets",
    "listener",
    "stack_events", "alarm_changes",
    "identity", "security_groups", "registry_images", "log_groups", "start_logs", "cache_use",
    "service_deployments", "target_groups", "recent_lines", "app_errors", "failures",
    "machine_images",
    "instances", "group", "cache", "alarms", "lines", "subnets", "newest_image", "taken", "backups",
    "locks", "releases", "revisions", "mute_rules", "secret_versions", "image_users", "secrets",
]  # fmt: skip
Kind = Literal["db", "ecr", "ecs", "alarms"]
KINDS: tuple[Kind, ...] = ("db", "ecr", "ecs", "alarms")
# Parts that every system has, each read by its own calls. (Everybody may call STS.)
_GROUND: tuple[Part, ...] = ("stacks", "service", "instances", "cache", "alarms")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one system in AWS, all derived from the config.

    `image_parameter` names the newest machine image, unless the config sets an image itself.
    `secrets` are references, `task_secrets` those that tasks need to start. `log_groups` are by
    log source. `region` and `account` are the config's, or ''. `scales` means that the task count
    scales by itself.
    """

    system: str
    environment: str
    stacks: Mapping[Kind, str]
    cluster: str
    service: str
    family: str
    cache: str
    replicated: bool
    alarms: str
    subnets: tuple[str, ...] = ()
    image_parameter: str = ""
    secrets: tuple[str, ...] = ()
    task_secrets: tuple[str, ...] = ()
    log_groups: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    account: str = ""
    scales: bool = False

    def foreign(self, tags: Mapping[str, str]) -> str:
        """Return the other system that the tags of a stack name, or ''."""
        env = self.environment or "default"
        name = self.system.removesuffix(f"-{self.environment}") if self.environment else self.system
        theirs = tags.get("opsctl:name", name), tags.get("opsctl:env", env)
        if theirs == (name, env):
            return ""
        return f"`name: {theirs[0]}`, environment {theirs[1]}"

    @classmethod
    def of(cls, config: Config) -> Self:
        subnets = config.network.load_balancer_subnets or config.network.subnets
        image = config.compute.image
        return cls(
            system=config.system,
            environment=config.environment or "",
            stacks={kind: f"{config.system}-{kind}" for kind in KINDS},
            cluster=config.ecs.cluster_name,
            service=config.ecs.service_name,
            family=config.ecs.task_definition_name,
            cache=config.db.name,
            replicated=config.db.kind == "replication_group",
            alarms=f"{config.system}-",
            subnets=tuple(dict.fromkeys(subnets)),
            image_parameter=image.removeprefix("ssm:") if image.startswith("ssm:") else "",
            secrets=tuple(dict.fromkeys(config.secret_references.values())),
            task_secrets=tuple(dict.fromkeys(config.task_secret_references.values())),
            log_groups={source: config.logs.group(source) for source in SOURCES},
            region=config.aws.region or "",
            account=config.aws.account or "",
            scales=config.ecs.scaling is not None,
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What to read: `parts`, of these `stacks`.

    `events_of` is the id of a stack; its events newer than the event `after` are read. `group`
    names an Auto Scaling group that no stack output names (yet, or any more). `wanted` are resource
    names in a template, to be looked up. `consoles` are instances whose start logs are read even if
    their group is gone. `since` limits stack events and alarm changes; `alarm` is the one alarm
    whose changes are read, or ''. `releases` is how many of the newest releases are read, in
    addition to those of `numbers`.
    """

    parts: frozenset[Part] = frozenset()
    stacks: tuple[Kind, ...] = KINDS
    events_of: str = ""
    after: str | None = None
    group: str = ""
    wanted: tuple[Named, ...] = ()
    consoles: tuple[str, ...] = ()
    since: datetime | None = None
    releases: int = 10
    numbers: tuple[int, ...] = ()
    alarm: str = ""

    def __or__(self, other: "Look") -> "Look":
        """Return a Look for both. Events, group and wanted names come from whichever has them."""
        named = self if self.events_of else other
        return Look(
            self.parts | other.parts,
            tuple(kind for kind in KINDS if kind in self.stacks + other.stacks),
            named.events_of,
            named.after,
            self.group or other.group,
            self.wanted or other.wanted,
            tuple(dict.fromkeys(self.consoles + other.consoles)),
            min(filter(None, (self.since, other.since)), default=None),
            max(self.releases, other.releases),
            tuple(sorted({*self.numbers, *other.numbers})),
            self.alarm or other.alarm,
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that could not be read, and why. `operation` and `code` are AWS's own words.

    `cause` is the cause id that the error itself names, or ''.
    """

    part: Part
    reason: str
    hint: str | None = None
    operation: str = ""
    code: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read at one moment. A part that is not in `look` is empty, which means nothing.

    `events` are those newer than the look asked for, oldest first. `failures` are events of stacks
    whose last operation failed or is failing. `lines` holds the last lines of stopped tasks that
    ended by themselves, `recent_lines` those of running tasks, both by task id, oldest line first.
    `app_errors` is what the service logged as errors lately. `start_logs` holds the consoles of
    instances that have not joined, by id. `failed_calls` are those since the previous snapshot.
    `locks` holds the newest lock of each stack, closed or not. `releases` are oldest first,
    `revisions` newest first. `image_users` are the images that anything in the account's ECS uses.
    `deregistered` is the revision of the ecs stack's task definition if somebody deregistered it.
    `stack_events` of every stack and `alarm_changes` of every alarm are oldest first. `mute_rules`
    are those that mute alarms of the system now.
    """

    at: datetime
    names: Names
    look: Look = Look()
    stacks: Mapping[Kind, StackState] = field(default_factory=dict)
    events: tuple[StackEvent, ...] = ()
    service: Service | None = None
    tasks: tuple[Task, ...] = ()
    task_definitions: tuple[TaskDefinition, ...] = ()
    deregistered: str = ""
    targets: tuple[Target, ...] = ()
    listener: Listener | None = None
    instances: tuple[ContainerInstance, ...] = ()
    group: Group | None = None
    cache: Cache | None = None
    alarms: tuple[AlarmState, ...] = ()
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subnets: tuple[Subnet, ...] = ()
    newest_image: str = ""
    taken: tuple[Named, ...] = ()
    stack_events: tuple[StackEvent, ...] = ()
    alarm_changes: tuple[AlarmChange, ...] = ()
    identity: Identity | None = None
    security_groups: tuple[SecurityGroup, ...] = ()
    registry_images: tuple[RegistryImage, ...] = ()
    log_groups: tuple[LogGroup, ...] = ()
    start_logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cache_use: CacheUse | None = None
    service_deployments: tuple[ServiceDeployment, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    recent_lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    app_errors: tuple[str, ...] = ()
    failures: tuple[StackEvent, ...] = ()
    machine_images: tuple[MachineImage, ...] = ()
    failed_calls: tuple[FailedCall, ...] = ()
    backups: tuple[Backup, ...] = ()
    locks: Mapping[Kind, Lock] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    revisions: tuple[TaskDefinition, ...] = ()
    secret_versions: tuple[SecretVersion, ...] = ()
    image_users: frozenset[str] = frozenset()
    secrets: tuple[Secret, ...] = ()
    mute_rules: tuple[MuteRule, ...] = ()
    unread: tuple[Unread, ...] = ()

    def require(self, *parts: Part) -> Self:
        """Return this snapshot if it holds these parts.

        Raises AwsError if one could not be read.
        """
        for one in self.unread:
            if one.part in parts:
                raise AwsError(one.reason, hint=one.hint, operation=one.operation, code=one.code)
        return self

    def stack(self, kind: Kind) -> StackState | None:
        """Return the stack, or None if it does not exist or holds only a change set."""
        state = self.stacks.get(kind)
        return state if state is not None and state.exists else None

    def output(self, kind: Kind, name: str) -> str:
        """Return an output of a stack, or '' if there is none."""
        state = self.stack(kind)
        return state.outputs.get(name, "") if state else ""

    def settled_output(self, kind: Kind, name: str) -> str:
        """Return an output as `output` does; '' while an operation of the stack is under way."""
        state = self.stack(kind)
        return "" if state is None or state.in_progress else self.output(kind, name)

    def unread_part(self, part: Part) -> Unread | None:
        return next((one for one in self.unread if one.part == part), None)

    def holds(self, *parts: Part) -> bool:
        """Return whether all of these parts were asked for and read."""
        return all(part in self.look.parts and not self.unread_part(part) for part in parts)

    @property
    def blind(self) -> bool:
        """Return whether none of the parts that every system has could be read."""
        wanted = [part for part in _GROUND if part in self.look.parts]
        return bool(wanted) and all(self.unread_part(part) for part in wanted)

    @property
    def primary(self) -> Deployment | None:
        return self.service.primary if self.service else None

    @property
    def running(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.running)

    @property
    def stopped(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.is_stopped)

    @property
    def lines_to_come(self) -> bool:
        """Return whether a task ended so recently that its last lines may still arrive."""
        ends = [task.stopped for task in ended(self.tasks) if task.id not in self.lines]
        return any(end is not None and self.at - end < _LINES_COME for end in ends)

    @property
    def healthy(self) -> int:
        return sum(target.healthy for target in self.targets)

    def definition(self, arn: str) -> TaskDefinition | None:
        return next((one for one in self.task_definitions if one.arn == arn), None)

    def runs(self, image: str, deployment: Deployment) -> bool:
        """Return whether the deployment's task definition uses this image."""
        definition = self.definition(deployment.task_definition)
        return definition is not None and image in definition.images
