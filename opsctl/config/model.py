"""The shape of `opsctl.yaml`: one frozen section per noun, every default of the description.

Values only: reading files, overlays and origins live in `load`. A name left out is derived from
`name` (and `environment`), so that a short file describes a whole system.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from opsctl.config.duration import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[int, Field(ge=0, le=200)]
# A secret is a reference, resolved where it is used: ssm:/path, secretsmanager:name, env:NAME.
SecretReference = Annotated[str, Field(pattern=r"^(ssm:/|secretsmanager:|env:).+")]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Aws(Section):
    region: str | None = None
    profile: str | None = None
    account: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    bucket: str | None = None


class Network(Section):
    vpc: str
    subnets: Annotated[list[str], Field(min_length=1)]
    load_balancer_subnets: list[str] | None = None


class Db(Section):
    name: str = ""
    kind: Literal["cluster", "replication_group"] = "cluster"
    engine: Literal["redis", "valkey"] = "redis"
    engine_version: str = "7.1"
    node_type: str = "cache.t4g.micro"
    nodes: Annotated[int, Field(ge=1, le=6)] = 1
    availability_zone: str | None = None
    port: Port = 6379
    security_group_name: str = ""
    subnet_group_name: str = ""
    subnets: list[str] | None = None
    parameter_group: str | None = None
    maintenance_window: str | None = None
    snapshot_retention_days: Annotated[int, Field(ge=0, le=35)] = 0
    encryption_in_transit: bool = True
    user: str | None = None
    password: SecretReference | None = None


class ServiceRole(Section):
    create: bool = False
    name: str = ""


class HealthCheck(Section):
    command: list[str] | None = None
    interval: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=5)
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    start_period: Duration = timedelta(seconds=15)


class Breaker(Section):
    enable: bool = True
    rollback: bool = True
    alarms: list[str] = []


class Ecs(Section):
    cluster_name: str = ""
    service_name: str = ""
    task_definition_name: str = ""
    container_name: str = ""
    desired_count: Annotated[int, Field(ge=0, le=5000)] = 8
    minimum_healthy_percent: Percent = 100
    maximum_percent: Percent = 200
    cpu: Annotated[int, Field(ge=1)] = 512
    memory: Annotated[int, Field(ge=6)] = 400
    nofile: Annotated[int, Field(ge=1024)] = 1_024_000
    ports: list[Port] = [80, 8082]
    host_ports: Literal["dynamic", "fixed"] = "dynamic"
    environment: dict[str, str] = {}
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
    device: str | None = None
    encrypted: bool = True


class Compute(Section):
    instance_type: str = "t3.large"
    ami: str = "ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    key_pair: str | None = None
    launch: Literal["template", "configuration"] = "template"
    role: Literal["scoped", "described"] = "scoped"
    security_group_name: str = ""
    instance_profile_name: str = ""
    desired: Annotated[int, Field(ge=0)] = 2
    minimum: Annotated[int, Field(ge=0)] = 0
    maximum: Annotated[int, Field(ge=0)] = 2
    cooldown: Duration = timedelta(seconds=300)
    volume: Volume = Volume()
    metadata_hop_limit: Annotated[int, Field(ge=1, le=64)] = 2
    dynamic_port_range: tuple[Port, Port] = (32768, 60999)
    ingress: Literal["described"] | list[Ingress] = []
    capacity_provider: bool = False
    signal_timeout: Duration = timedelta(minutes=15)


class TargetHealthCheck(Section):
    protocol: Literal["TCP", "HTTP"] = "TCP"
    port: Port | Literal["traffic-port"] = "traffic-port"
    path: str = "/health.txt"
    interval: Duration = timedelta(seconds=10)
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2


class LoadBalancer(Section):
    name: str = ""
    target_group_name: str = ""
    scheme: Literal["internet-facing", "internal"] = "internet-facing"
    address_type: Literal["ipv4", "dualstack"] = "ipv4"
    port: Port = 80
    container_port: Port = 8082
    certificate: str | None = None
    health_check: TargetHealthCheck = TargetHealthCheck()
    deregistration_delay: Duration = timedelta(seconds=60)
    cross_zone: bool = True
    deletion_protection: bool = False
    access_logs_bucket: str | None = None
    cidrs: list[Cidr] = ["0.0.0.0/0"]


class Image(Section):
    repository: str = ""
    dockerfile: str = "Dockerfile"
    context: str = "."
    target: str = "service"
    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    build_args: dict[str, str] = {}
    network: str | None = None
    keep: Annotated[int, Field(ge=1, le=1000)] = 30


class Logs(Section):
    app: str = ""
    stdout: str = ""
    ecs: str = ""
    agent: str = ""
    stream_name_root: str = ""
    retention_days: int = 30
    kms_key: str | None = None
    mode: Literal["blocking", "non-blocking"] = "non-blocking"
    max_buffer_size: Annotated[str, Field(pattern=r"^[0-9]+[kmg]$")] = "4m"


class Caddyfile(Section):
    template: str = "Caddyfile_template"
    output: str = "Caddyfile"
    variables: dict[str, str] = {}


class Secrets(Section):
    file: str = ".secrets.yml"
    values: dict[str, SecretReference] = {}


class Alarms(Section):
    email: str | None = None
    topic: str | None = None
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 80
    memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    cache_memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    roll_back_on: list[str] = []


class Config(Section):
    """The merged file. Only `cli` holds the whole; functions take the section they need."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
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
