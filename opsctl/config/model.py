"""The shape of `opsctl.yaml`: one frozen section per noun, with all defaults.

Values only: `load` handles files, overlays and origins. A missing name is derived from `name` (and
`environment`), so a short file describes a whole system.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
)

from opsctl.config import names, sources
from opsctl.config.elasticache import ENGINE_VERSIONS
from opsctl.config.fields import (
    AccountId,
    AlarmName,
    Ami,
    BreakerPercent,
    BucketName,
    BufferSize,
    Certificate,
    CheckTimeout,
    Cidr,
    Cooldown,
    Delay,
    Device,
    Email,
    EngineVersion,
    ExternalId,
    HealthInterval,
    HealthPath,
    InstanceTypeName,
    KeyPair,
    KmsKey,
    ParameterGroup,
    Placement,
    PolicyArn,
    Port,
    PortRange,
    RoleArn,
    SecretReference,
    SelectionName,
    SignalTimeout,
    StartPeriod,
    StopTimeout,
    SubnetId,
    TagKey,
    TagValue,
    Text,
    Topic,
    Variable,
    VpcId,
    Window,
    Zone,
    like,
    retention,
)

_ECS_IMAGES = "/aws/service/ecs/optimized-ami/amazon-linux-2023"


# A missing section is built from nothing by the validator of the whole file. An instance as the
# default would need its own validator, and building those takes time at every start.
DEFAULTS: Any = Field(default={}, validate_default=True)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Aws(Section):
    region: Text | None = None
    profile: Text | None = None
    account: AccountId | None = None
    assume_role: RoleArn | None = None
    external_id: ExternalId | None = None
    cloudformation_role: RoleArn | None = None
    permissions_boundary: PolicyArn | None = None
    bucket: BucketName | None = None


class Network(Section):
    vpc: VpcId
    subnets: Annotated[list[SubnetId], Field(min_length=1)]
    load_balancer_subnets: list[SubnetId] | None = None


class Db(Section):
    name: Text = ""
    kind: Literal["cluster", "replication_group"] = "cluster"
    engine: Literal["redis", "valkey"] = "redis"
    engine_version: EngineVersion | None = None
    node_type: Text = "cache.t4g.micro"
    nodes: Annotated[int, Field(ge=1, le=6)] = 1
    shards: Annotated[int, Field(ge=1, le=500)] | None = None
    cluster_mode: Literal["disabled", "compatible", "enabled"] | None = None
    availability_zone: Zone | None = None
    port: Port = 6379
    security_group_name: Text = ""
    subnet_group_name: Text = ""
    subnets: Annotated[list[SubnetId], Field(min_length=1)] | None = None
    parameter_group: ParameterGroup | None = None
    maintenance_window: Window | None = None
    snapshot_retention_days: Annotated[int, Field(ge=0, le=35)] = 0
    encryption_in_transit: bool = True
    user: Text | None = None
    password: SecretReference | None = None

    @property
    def version(self) -> str:
        """The engine's version: the written one, else the newest that this table knows."""
        return self.engine_version or ENGINE_VERSIONS[self.engine][-1]

    @property
    def family(self) -> str:
        """The version as parameter groups name it: 7, 6.x or 5.0.

        Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
        """
        major, _, minor = self.version.partition(".")
        if major == "6":
            return "6.x"
        return major if int(major) >= 7 else f"{major}.{minor[0]}"

    @property
    def total_nodes(self) -> int:
        """The nodes of all shards."""
        return self.nodes * (self.shards or 1)

    @property
    def has_cluster_parameters(self) -> bool:
        """Whether its parameter group must be one for cluster mode; `compatible` is on its way."""
        return self.shards is not None or self.cluster_mode == "compatible"

    @property
    def clustered(self) -> bool:
        """Whether clients must use Redis Cluster's protocol."""
        return self.shards is not None and self.cluster_mode in (None, "enabled")


class ServiceRole(Section):
    create: bool = False
    name: Text = ""


class HealthCheck(Section):
    # ECS ignores an image's own health check. Without this one a task that answers only errors
    # would stay healthy for ever.
    command: list[Text] | None = [
        *("CMD", "python", "-c"),
        "import urllib.request as u; u.urlopen('http://127.0.0.1:80/health.txt', timeout=4)",
    ]
    interval: HealthInterval = timedelta(seconds=30)
    timeout: CheckTimeout = timedelta(seconds=5)
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    start_period: StartPeriod = timedelta(seconds=15)


class Breaker(Section):
    enable: bool = True
    rollback: bool = True
    threshold: Annotated[int, Field(ge=1, le=200)] | BreakerPercent | None = None
    reset_on_healthy_task: bool = True
    alarms: list[AlarmName] = []


class Scaling(Section):
    """`requests` are new connections per task and minute: an NLB counts no requests."""

    minimum: Annotated[int, Field(ge=1, le=5000)]
    maximum: Annotated[int, Field(ge=1, le=5000)]
    cpu_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    memory_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    requests: Annotated[int, Field(ge=1)] | None = None


class Ecs(Section):
    cluster_name: Text = ""
    service_name: Text = ""
    task_definition_name: Text = ""
    container_name: Text = ""
    desired_count: Annotated[int, Field(ge=0, le=5000)] = 8
    scaling: Scaling | None = None
    minimum_healthy_percent: Annotated[int, Field(ge=0, le=100)] = 100
    maximum_percent: Annotated[int, Field(ge=100, le=1000)] = 200
    placement: Annotated[list[Placement], Field(max_length=5)] = [
        "attribute:ecs.availability-zone",
        "instanceId",
    ]
    cpu: Annotated[int, Field(ge=1)] = 512
    memory: Annotated[int, Field(ge=6)] = 400
    nofile: Annotated[int, Field(ge=1024, le=1_048_576)] = 1_024_000
    ports: list[Port] = [80, 8082]
    host_ports: Literal["dynamic", "fixed"] = "dynamic"
    environment: dict[Variable, Text] = {}
    secrets: dict[Variable, SecretReference] = {}
    stop_timeout: StopTimeout = timedelta(seconds=30)
    read_only_root: bool = True
    health_check: HealthCheck = DEFAULTS
    breaker: Breaker = DEFAULTS
    availability_zone_rebalancing: bool = True
    container_insights: bool = False
    version_consistency: bool = True
    service_role: ServiceRole = DEFAULTS

    @property
    def fewest_tasks(self) -> int:
        """The smallest number of tasks, with which a service starts."""
        return self.scaling.minimum if self.scaling else self.desired_count

    @property
    def most_tasks(self) -> int:
        return self.scaling.maximum if self.scaling else self.desired_count


class Ingress(Section):
    port: Port
    cidrs: Annotated[list[Cidr], Field(min_length=1)]


class Volume(Section):
    type: Literal["gp2", "gp3"] | None = None
    size: Annotated[int, Field(ge=1, le=65536)] | None = None
    device: Device | None = None
    encrypted: bool = True


class Compute(Section):
    instance_type: InstanceTypeName = "t3.xlarge"
    ami: Ami | None = None
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    key_pair: KeyPair | None = None
    launch: Literal["template", "configuration"] = "template"
    role: Literal["scoped", "described"] = "scoped"
    security_group_name: Text = ""
    instance_profile_name: Text = ""
    # A cluster has 5,000 container instances at most.
    desired: Annotated[int, Field(ge=0, le=5000)] = 2
    minimum: Annotated[int, Field(ge=0, le=5000)] = 0
    maximum: Annotated[int, Field(ge=0, le=5000)] = 2
    cooldown: Cooldown = timedelta(seconds=300)
    # ECS attaches no load balancer to the group, so ELB would check none.
    health_check: Literal["EC2"] = "EC2"
    health_check_grace: Cooldown = timedelta(minutes=5)
    subnets: Annotated[list[SubnetId], Field(min_length=1)] | None = None
    volume: Volume = DEFAULTS
    metadata_hop_limit: Annotated[int, Field(ge=1, le=64)] = 1
    dynamic_port_range: PortRange = (32768, 60999)
    ingress: Literal["described"] | list[Ingress] = []
    capacity_provider: bool = False
    signal_timeout: SignalTimeout = timedelta(minutes=15)

    @property
    def image(self) -> str:
        """A machine image id, or `ssm:` with the parameter that names the newest one."""
        folder = "/arm64" if self.architecture == "arm64" else ""
        return self.ami or f"ssm:{_ECS_IMAGES}{folder}/recommended/image_id"


class TargetHealthCheck(Section):
    protocol: Literal["TCP", "HTTP"] = "TCP"
    port: Port | Literal["traffic-port"] = "traffic-port"
    path: HealthPath = "/health.txt"
    interval: HealthInterval = timedelta(seconds=10)
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2


class LoadBalancer(Section):
    name: Text = ""
    target_group_name: Text = ""
    security_group_name: Text = ""
    scheme: Literal["internet-facing", "internal"] = "internet-facing"
    address_type: Literal["ipv4", "dualstack"] = "ipv4"
    port: Port = 80
    container_port: Port = 8082
    target_group_port: Port = 80
    certificate: Certificate | None = None
    health_check: TargetHealthCheck = DEFAULTS
    deregistration_delay: Delay = timedelta(seconds=60)
    cross_zone: bool = True
    deletion_protection: bool = False
    access_logs_bucket: BucketName | None = None
    cidrs: Annotated[list[Cidr], Field(min_length=1)] = ["0.0.0.0/0"]


class Image(Section):
    repository: Text = ""
    dockerfile: Text = "Dockerfile"
    context: Text = "."
    target: Text = "service"
    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    build_args: dict[str, Text] = {}
    network: Text | None = None
    keep: Annotated[int, Field(ge=1, le=1000)] = 30


class LogSelection(Section):
    """A saved selection of `logs tail`: its options, by name."""

    sources: list[Text] = []
    groups: list[Text] = []
    filter: Text = ""
    grep: Text = ""
    exclude: Text = ""
    highlight: Text = ""
    level: Text = ""
    task: Text = ""
    instance: Text = ""
    stream: Text = ""
    where: list[Text] = []
    since: Text = ""
    fields: Text = ""


if TYPE_CHECKING:
    _LogGroups = Section
else:
    # One key for each log source: the name of its log group.
    _LogGroups = create_model(
        "LogGroups", __base__=Section, **{name: (Text, "") for name in sources.NAMES}
    )


class Logs(_LogGroups):
    stream_name_root: Text = ""
    retention_days: Annotated[int, AfterValidator(retention)] = 30
    kms_key: KmsKey | None = None
    mode: Literal["blocking", "non-blocking"] = "non-blocking"
    max_buffer_size: BufferSize = "4m"
    selections: dict[SelectionName, LogSelection] = {}

    def group(self, source: str) -> str:
        """Return the log group of a source."""
        return str(getattr(self, source))

    @property
    def groups(self) -> dict[str, str]:
        """The log group of every source, by the source's name."""
        return {name: self.group(name) for name in sources.NAMES}


class Caddyfile(Section):
    template: Text = "Caddyfile_template"
    output: Text = "Caddyfile"
    variables: dict[str, Text] = {}


class Secrets(Section):
    file: Text = ".secrets.yml"
    values: dict[str, SecretReference] = {}
    kms_key: KmsKey | None = None


class Alarms(Section):
    email: Email | None = None
    topic: Topic | None = None
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 80
    memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    cache_memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    roll_back_on: list[Text] = []


class Config(Section):
    """The merged file. Only `cli` holds the whole; functions take the section that they need."""

    name: Annotated[
        str, Field(pattern=like(names.NAME, names.NAME_WORDS), max_length=names.NAME_LENGTH)
    ]
    environment: str | None = None  # set by `--env`, never written in the file
    tags: dict[TagKey, TagValue] = {}
    aws: Aws = DEFAULTS
    network: Network
    db: Db = DEFAULTS
    ecs: Ecs = DEFAULTS
    compute: Compute = DEFAULTS
    load_balancer: LoadBalancer = DEFAULTS
    image: Image = DEFAULTS
    logs: Logs = DEFAULTS
    caddyfile: Caddyfile = DEFAULTS
    secrets: Secrets = DEFAULTS
    alarms: Alarms = DEFAULTS

    @property
    def system(self) -> str:
        """`name`, or `name-environment`: the prefix of every stack and derived name."""
        return f"{self.name}-{self.environment}" if self.environment else self.name

    @property
    def secret_references(self) -> dict[str, str]:
        """Every reference to a secret, by its dotted key. Only the cache reads that of `db`."""
        password = {"db.password": self.db.password} if self.db.password else {}
        return self.task_secret_references | password

    @property
    def task_secret_references(self) -> dict[str, str]:
        """The references to secrets that a task needs to start, by their dotted keys."""
        references = {f"secrets.values.{name}": one for name, one in self.secrets.values.items()}
        return references | {f"ecs.secrets.{name}": one for name, one in self.ecs.secrets.items()}
