"""The shape of `opsctl.yaml`: one frozen section per noun, every default of the description.

Values only: reading files, overlays and origins live in `load`. A name left out is derived from
`name` (and `environment`), so that a short file describes a whole system.
"""

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    create_model,
)

from opsctl.config import sources
from opsctl.config.document import written
from opsctl.config.duration import format_duration, parse_duration

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096),
    *(1827, 2192, 2557, 2922, 3288, 3653),
)


def _network(text: str) -> str:
    return str(ip_network(text))


def _retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        raise ValueError(f"choose one of {', '.join(map(str, RETENTION_DAYS))}")
    return days


# `engine_version: 7.1` and `account: 012345678901` are text as written, not the number's spelling.
Text = Annotated[str, BeforeValidator(written)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"}),
]
Port = Annotated[int, Field(ge=1, le=65535)]
# A secret is a reference, resolved where it is used: ssm:/path, secretsmanager:name, env:NAME.
_REFERENCE = (
    r"^(ssm:/[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@:-]+(#[A-Za-z0-9_.-]+)?"
    r"|env:[A-Za-z_][A-Za-z0-9_]*)$"
)
SecretReference = Annotated[Text, Field(pattern=_REFERENCE)]
Cidr = Annotated[str, AfterValidator(_network)]
# strict: `no` is text and "8" is not a number; a list may fill a tuple all the same.
PortRange = Annotated[tuple[Port, Port], Field(strict=False)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Aws(Section):
    region: Text | None = None
    profile: Text | None = None
    account: Annotated[Text, Field(pattern=r"^[0-9]{12}$")] | None = None
    bucket: Text | None = None


class Network(Section):
    vpc: Text
    subnets: Annotated[list[Text], Field(min_length=1)]
    load_balancer_subnets: list[Text] | None = None


class Db(Section):
    name: Text = ""
    kind: Literal["cluster", "replication_group"] = "cluster"
    engine: Literal["redis", "valkey"] = "redis"
    engine_version: Text = "7.1"
    node_type: Text = "cache.t4g.micro"
    nodes: Annotated[int, Field(ge=1, le=6)] = 1
    availability_zone: Text | None = None
    port: Port = 6379
    security_group_name: Text = ""
    subnet_group_name: Text = ""
    subnets: list[Text] | None = None
    parameter_group: Text | None = None
    maintenance_window: Text | None = None
    snapshot_retention_days: Annotated[int, Field(ge=0, le=35)] = 0
    encryption_in_transit: bool = True
    user: Text | None = None
    password: SecretReference | None = None


class ServiceRole(Section):
    create: bool = False
    name: Text = ""


class HealthCheck(Section):
    command: list[Text] | None = None
    interval: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=5)
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    start_period: Duration = timedelta(seconds=15)


class Breaker(Section):
    enable: bool = True
    rollback: bool = True
    alarms: list[Text] = []


class Ecs(Section):
    cluster_name: Text = ""
    service_name: Text = ""
    task_definition_name: Text = ""
    container_name: Text = ""
    desired_count: Annotated[int, Field(ge=0, le=5000)] = 8
    minimum_healthy_percent: Annotated[int, Field(ge=0, le=200)] = 100
    maximum_percent: Annotated[int, Field(ge=100, le=1000)] = 200
    placement: list[Text] = ["attribute:ecs.availability-zone", "instanceId"]
    cpu: Annotated[int, Field(ge=1)] = 512
    memory: Annotated[int, Field(ge=6)] = 400
    nofile: Annotated[int, Field(ge=1024)] = 1_024_000
    ports: list[Port] = [80, 8082]
    host_ports: Literal["dynamic", "fixed"] = "dynamic"
    environment: dict[str, Text] = {}
    secrets: dict[str, SecretReference] = {}
    stop_timeout: Duration = timedelta(seconds=30)
    read_only_root: bool = True
    health_check: HealthCheck = HealthCheck()
    breaker: Breaker = Breaker()
    availability_zone_rebalancing: bool = True
    container_insights: bool = False
    version_consistency: bool = True
    service_role: ServiceRole = ServiceRole()


class Ingress(Section):
    port: Port
    cidrs: Annotated[list[Cidr], Field(min_length=1)]


class Volume(Section):
    type: Literal["gp2", "gp3"] | None = None
    size: Annotated[int, Field(ge=1, le=16384)] | None = None
    device: Text | None = None
    encrypted: bool = True


class Compute(Section):
    instance_type: Text = "t3.xlarge"
    ami: Text = "ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    key_pair: Text | None = None
    launch: Literal["template", "configuration"] = "template"
    role: Literal["scoped", "described"] = "scoped"
    security_group_name: Text = ""
    instance_profile_name: Text = ""
    desired: Annotated[int, Field(ge=0)] = 2
    minimum: Annotated[int, Field(ge=0)] = 0
    maximum: Annotated[int, Field(ge=0)] = 2
    cooldown: Duration = timedelta(seconds=300)
    health_check: Literal["EC2", "ELB"] = "EC2"
    health_check_grace: Duration = timedelta(minutes=5)
    subnets: list[Text] | None = None
    volume: Volume = Volume()
    metadata_hop_limit: Annotated[int, Field(ge=1, le=64)] = 2
    dynamic_port_range: PortRange = (32768, 60999)
    ingress: Literal["described"] | list[Ingress] = []
    capacity_provider: bool = False
    signal_timeout: Duration = timedelta(minutes=15)


class TargetHealthCheck(Section):
    protocol: Literal["TCP", "HTTP"] = "TCP"
    port: Port | Literal["traffic-port"] = "traffic-port"
    path: Text = "/health.txt"
    interval: Duration = timedelta(seconds=10)
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
    certificate: Text | None = None
    health_check: TargetHealthCheck = TargetHealthCheck()
    deregistration_delay: Duration = timedelta(seconds=60)
    cross_zone: bool = True
    deletion_protection: bool = False
    access_logs_bucket: Text | None = None
    cidrs: list[Cidr] = ["0.0.0.0/0"]


class Image(Section):
    repository: Text = ""
    dockerfile: Text = "Dockerfile"
    context: Text = "."
    target: Text = "service"
    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    build_args: dict[str, Text] = {}
    network: Text | None = None
    keep: Annotated[int, Field(ge=1, le=1000)] = 30


if TYPE_CHECKING:
    _LogGroups = Section
else:
    # One key for each log source: the name of its log group.
    _LogGroups = create_model(
        "LogGroups", __base__=Section, **{name: (Text, "") for name in sources.NAMES}
    )


class Logs(_LogGroups):
    stream_name_root: Text = ""
    retention_days: Annotated[int, AfterValidator(_retention)] = 30
    kms_key: Text | None = None
    mode: Literal["blocking", "non-blocking"] = "non-blocking"
    max_buffer_size: Annotated[str, Field(pattern=r"^[0-9]+[kmg]$")] = "4m"

    def group(self, source: str) -> str:
        """The log group of a source, by its name."""
        return str(getattr(self, source))

    @property
    def groups(self) -> dict[str, str]:
        """The log group of every source."""
        return {name: self.group(name) for name in sources.NAMES}


class Caddyfile(Section):
    template: Text = "Caddyfile_template"
    output: Text = "Caddyfile"
    variables: dict[str, Text] = {}


class Secrets(Section):
    file: Text = ".secrets.yml"
    values: dict[str, SecretReference] = {}


class Alarms(Section):
    email: Text | None = None
    topic: Text | None = None
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 80
    memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    cache_memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    roll_back_on: list[Text] = []


class Config(Section):
    """The merged file. Only `cli` holds the whole; functions take the section they need."""

    name: Annotated[str, Field(pattern=r"^[a-z](-?[a-z0-9])*$", max_length=20)]
    environment: str | None = None  # set by `--env`, never written in the file
    aws: Aws = Aws()
    network: Network
    db: Db = Db()
    ecs: Ecs = Ecs()
    compute: Compute = Compute()
    load_balancer: LoadBalancer = LoadBalancer()
    image: Image = Image()
    logs: Logs = Logs()
    caddyfile: Caddyfile = Caddyfile()
    secrets: Secrets = Secrets()
    alarms: Alarms = Alarms()

    @property
    def system(self) -> str:
        """`name`, or `name-environment`: the prefix of every derived name and stack."""
        return f"{self.name}-{self.environment}" if self.environment else self.name
