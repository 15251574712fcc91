"""The nouns of the simulation: specifications from outside, and the live things inside.

Times are simulated seconds since the engine's start; nothing here knows wall time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TaskStatus = Literal[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
]
TargetState = Literal["initial", "healthy", "unhealthy", "draining", "unused"]
RolloutState = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]
Verdict = Literal[
    "IN_PROGRESS",
    "SUCCESSFUL",
    "STOPPED",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
]

Document = Mapping[str, Any]
"""A request or resource as the AWS API words it (camelCase keys)."""


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port mapping; host_port 0 asks for a dynamic one."""

    container: str
    container_port: int
    host_port: int = 0


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A task definition's numbers, and the whole document as it was registered."""

    arn: str
    family: str
    revision: int
    cpu: int
    memory: int
    ports: tuple[ContainerPort, ...]
    document: Document

    @property
    def containers(self) -> list[dict[str, Any]]:
        return list(self.document.get("containerDefinitions", ()))

    @property
    def images(self) -> str:
        return " ".join(str(c.get("image", "")) for c in self.containers)


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """Where a service's tasks are registered, with the target group's health-check settings."""

    target_group: str
    container: str
    container_port: int
    interval: float = 30.0
    timeout: float = 10.0
    healthy_threshold: int = 3
    unhealthy_threshold: int = 3
    deregistration_delay: float = 300.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a service should be. `document` keeps every member of the request."""

    name: str
    cluster: str
    task_definition: str
    desired: int
    minimum_percent: int = 100
    maximum_percent: int = 200
    load_balancers: tuple[LoadBalancer, ...] = ()
    spread: tuple[str, ...] = ("attribute:ecs.availability-zone", "instanceId")
    breaker: bool = False
    rollback: bool = False
    threshold: tuple[str, int] = ("BOUNDED_PERCENT", 50)
    """How many failures trip the breaker: a type of ThresholdConfiguration and its value."""
    reset_on_healthy: bool = True
    """Whether a healthy task ends a row of failures."""
    alarms: tuple[str, ...] = ()
    alarm_rollback: bool = False
    grace: float = 0.0
    document: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartScript:
    """What an instance's user data does.

    `signal` is when it signals success to CloudFormation: at the end of the script, which is before
    the agent starts; when the agent has joined; or never. It waits `patience` seconds for the
    agent, or until `deadline` seconds after the boot. When it fails, it writes `last_words`, its
    log, and `last_of_all` to the console. The agent then starts all the same, unless the script
    stops it: in the cluster `default`, unless the script configures it before it needs packages.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    signal: Literal["script", "joined", "never"] = "script"
    patience: float = 600.0
    deadline: float = 0.0
    last_words: str = ""
    last_of_all: str = ""
    stops_agent: bool = False
    configures_first: bool = True


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """An Auto Scaling group whose instances join `cluster`."""

    name: str
    cluster: str
    desired: int
    minimum: int
    maximum: int
    zones: tuple[str, ...]
    subnets: tuple[str, ...] = ()
    instance_type: str = "t3.small"
    launch: str = ""
    """What new instances are launched from: a launch template's version or a configuration."""
    image: str = ""
    script: StartScript = StartScript()


@dataclass(frozen=True, slots=True)
class Hook:
    """A group's lifecycle hook: a leaving instance waits for it, at most `timeout` seconds."""

    name: str
    timeout: float = 3600.0
    document: Document = field(default_factory=dict)


@dataclass(slots=True)
class Instance:
    """A simulated EC2 instance and, once joined, its container instance.

    `waits_for` maps the lifecycle hooks that delay its termination to the seconds at which they
    time out.
    """

    id: str
    arn: str
    group: str
    cluster: str
    zone: str
    subnet: str
    instance_type: str
    private_ip: str
    launched: float
    cpu: int
    memory: int
    launch: str = ""
    image: str = ""
    script: StartScript = StartScript()
    state: Literal["pending", "running", "shutting-down", "terminated"] = "pending"
    joined: bool = False
    agent_connected: bool = False
    draining: bool = False
    signalled: bool | None = None
    joined_at: float | None = None
    console: list[tuple[float, str]] = field(default_factory=list)
    booted: float | None = None
    ended: float | None = None
    waits_for: dict[str, float] = field(default_factory=dict)
    leaving: bool = False
    """Whether its group has given it up."""


@dataclass(slots=True)
class Container:
    """One container of a task; `host_ports` pairs with its port mappings."""

    name: str
    image: str
    status: Literal["PENDING", "RUNNING", "STOPPED"] = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    digest: str = ""
    host_ports: tuple[tuple[int, int], ...] = ()
    """(container port, host port) pairs."""


@dataclass(slots=True)
class Task:
    """A task, from its creation until an hour after its end."""

    arn: str
    id: str
    cluster: str
    definition: TaskDefinition
    created: float
    group: str
    service: str = ""
    deployment: str = ""
    instance: str = ""
    status: TaskStatus = "PROVISIONING"
    desired: Literal["RUNNING", "STOPPED"] = "RUNNING"
    containers: list[Container] = field(default_factory=list)
    started: float | None = None
    stopping: float | None = None
    stopped: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    pull_started: float | None = None
    pull_stopped: float | None = None
    was_healthy: bool = False
    overrides: Document = field(default_factory=dict)
    started_by: str = ""
    tags: list[Document] = field(default_factory=list)
    """Its own; a service's task has those that its service gives it."""
    host_ports: tuple[int, ...] = ()
    """Every port it holds on its instance."""
    judged: bool = False
    """Whether the scheduler has counted its end as a success or a failure."""


@dataclass(slots=True)
class Target:
    """A task's registration in a target group."""

    target_group: str
    instance: str
    port: int
    task: str
    registered: float
    state: TargetState = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    checks_failed: int = 0
    checks_passed: int = 0


@dataclass(slots=True)
class Deployment:
    """One deployment of a service: PRIMARY is the wanted one, ACTIVE is ending."""

    id: str
    task_definition: str
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"]
    desired: int
    created: float
    updated: float
    rollout: RolloutState = "IN_PROGRESS"
    rollout_reason: str = ""
    failed_tasks: int = 0
    consecutive_failures: int = 0
    finished: float | None = None
    rolls_back: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    """Image to digest, pinned when the deployment began (versionConsistency)."""
    verdict: Verdict = "IN_PROGRESS"
    """The status of the service deployment; a rollback belongs to the one that failed."""
    verdict_reason: str = ""
    sources: tuple[str, ...] = ()
    """The deployments that ran when it began."""
    revision: str = ""
    """Of a rollback it is the revision that it returns to."""
    back_to: str = ""
    back_since: float | None = None
    ignored_alarms: frozenset[str] = frozenset()
    """Those that rang already when it began: they say nothing about it."""
    triggered: tuple[str, ...] = ()
    steady_since: float | None = None

    @property
    def only_rolls_back(self) -> bool:
        """Whether it only rolls another one back and is not a service deployment itself."""
        return self.revision != self.id


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """One line of the events of `describe-services`."""

    id: str
    at: float
    message: str


@dataclass(slots=True)
class Service:
    """A service, its deployments and its last hundred events, both newest first."""

    arn: str
    spec: ServiceSpec
    created: float
    status: Literal["ACTIVE", "DRAINING", "INACTIVE"] = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    history: list[Deployment] = field(default_factory=list)
    events: list[ServiceEvent] = field(default_factory=list)
    event_times: dict[str, float] = field(default_factory=dict)
    not_before: float = 0.0
    short: int = 0
    """Tasks that found no place at the last look."""

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]


@dataclass(slots=True)
class Activity:
    """A scaling activity of an Auto Scaling group."""

    id: str
    group: str
    description: str
    cause: str
    start: float
    end: float | None = None
    status: str = "InProgress"
    message: str = ""
    progress: int = 0


@dataclass(slots=True)
class Group:
    """An Auto Scaling group as it is now."""

    arn: str
    spec: GroupSpec
    desired: int
    created: float
    activities: list[Activity] = field(default_factory=list)
    hooks: dict[str, Hook] = field(default_factory=dict)
    deleting: bool = False
    metrics: frozenset[str] = frozenset()
    """The group metrics that were asked for; AWS sends none by itself."""
    balancing: str = ""
    """The instance that was launched to even out the zones, until an old one makes room."""
    suspended: dict[str, float] = field(default_factory=dict)
    """The processes that somebody suspended, and since when."""


@dataclass(slots=True)
class CapacityProvider:
    """An Auto Scaling group that ECS may scale; `target` is its capacity in percent."""

    name: str
    arn: str
    group: str
    managed: bool
    target: int
    draining: bool = True
    """Whether ECS moves the tasks of an instance that the group ends."""
    idle_since: float | None = None
    document: Document = field(default_factory=dict)


@dataclass(slots=True)
class TrackingPolicy:
    """Keeps a service's metric near `target` percent; counts the minutes above and below it."""

    metric: str
    target: float
    arn: str = ""
    value: float | None = None
    above: int = 0
    below: int = 0


@dataclass(slots=True)
class ScalableTarget:
    """A service whose desired count Application Auto Scaling changes; policies are by name."""

    cluster: str
    service: str
    minimum: int
    maximum: int
    policies: dict[str, TrackingPolicy] = field(default_factory=dict)
    suspended: frozenset[str] = frozenset()
    made: float = 0.0
    out_again: float = 0.0
    in_again: float = 0.0
