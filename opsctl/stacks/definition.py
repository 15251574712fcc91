"""The desired state of a stack: a rendered template with its parameters and tags. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from opsctl import templates
from opsctl.alarms import catalogue
from opsctl.config.model import Compute, Config, Db, TargetHealthCheck
from opsctl.config.sources import SOURCES
from opsctl.errors import OpsError
from opsctl.stacks import references

if TYPE_CHECKING:
    # `render` and `config check` need none of it, and it is a tenth of their time.
    from opsctl.snapshot.service import Service
    from opsctl.snapshot.snapshot import Kind, Snapshot
    from opsctl.snapshot.stacks import StackState

Capability = Literal["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
# What CloudFormation must be told when a template makes IAM resources with names of their own.
_NAMED_IAM: tuple[Capability, ...] = ("CAPABILITY_NAMED_IAM",)
# Raised when a change of the templates matters to whoever reads a stack's tags.
TEMPLATE_VERSION = "1"
# The tag of no image: the stack's own until the first release.
UNRELEASED = "unreleased"


@dataclass(frozen=True, slots=True)
class Stack:
    """`kind` is the config's word (`db`); a parameter that is None keeps the stack's own value.

    An empty template keeps the one that the stack has. `imports` are the logical ids of what
    exists already and is taken over. With `reverts_drift` CloudFormation compares the template with
    what is really there, and puts back what was changed by other means.
    """

    name: str
    kind: "Kind"
    template: str
    parameters: Mapping[str, str | None]
    capabilities: tuple[Capability, ...]
    tags: Mapping[str, str]
    imports: frozenset[str] = frozenset()
    reverts_drift: bool = False

    @property
    def command(self) -> str:
        """The word after `opsctl` that changes it: the repository belongs to `ecs`."""
        return "ecs" if self.kind == "ecr" else self.kind


def db(config: Config, snapshot: str | None = "") -> Stack:
    """ElastiCache. Outputs RedisAddress, RedisPort, RedisEndpoint, SecurityGroup.

    `snapshot` names what a new cache begins with: '' nothing, None what the stack has. A template
    without one does not speak of it, because any word on it may replace a cache that has none.
    """
    template = templates.render(
        "db.yaml.j2",
        config=config,
        db=config.db,
        subnets=config.db.subnets or config.network.subnets,
        password=config.db.password and references.dynamic(config.db.password),
        cluster_parameters=_cluster_parameters(config.db),
        restored=snapshot != "",
    )
    parameters = {} if snapshot == "" else {"Snapshot": snapshot}
    return _stack(config, "db", template, parameters=parameters)


def ecr(config: Config, imports: frozenset[str] = frozenset()) -> Stack:
    """The repository, which outlives the service. Outputs RepositoryUri, RepositoryName."""
    template = templates.render("ecr.yaml.j2", config=config, imports=imports)
    return _stack(config, "ecr", template, imports=imports)


def ecs(config: Config, imports: frozenset[str] = frozenset()) -> Stack:
    """The service and all it runs on. `Image` and `DesiredCount` are for the caller to replace."""
    template = templates.render("ecs.yaml.j2", **_ecs_values(config), imports=imports)
    return _stack(
        config,
        "ecs",
        template,
        parameters={
            "Image": UNRELEASED,
            "DesiredCount": str(config.ecs.fewest_tasks),
            "AmiId": None if config.compute.image.startswith("ssm:") else config.compute.image,
        },
        capabilities=_NAMED_IAM,
        imports=imports,
    )


def live(stack: Stack, config: Config, now: "Snapshot", *, new_image: bool = False) -> Stack:
    """The ecs stack with what its live system has and nobody asked to change.

    The release stays; so does a count that somebody set by hand, unless the config asks for
    another than last time; so does the instances' image, unless `new_image`.
    """
    state = now.stack("ecs")
    parameters = {
        # None, the stack's own at that moment: who waits for a release must not take it back.
        "Image": None if state and "Image" in state.parameters else UNRELEASED,
        "DesiredCount": count_parameter(config, state, now.service),
        "AmiId": ami(config, now, new=new_image),
    }
    return replace(stack, parameters={**stack.parameters, **parameters})


def release(state: "StackState | None") -> str:
    """The image that the stack runs; '' before the first release."""
    image = state.parameters.get("Image", "") if state else ""
    return "" if image.endswith(UNRELEASED) else image


def desired_count(config: Config, state: "StackState | None", service: "Service | None") -> int:
    """A template's count is set at every update of the service, so it must be the live one.

    https://github.com/aws/containers-roadmap/issues/493
    """
    if state is None or service is None:
        return config.ecs.fewest_tasks
    if config.ecs.scaling:
        return service.desired
    configured = state.outputs.get("ConfiguredCount") or state.parameters.get("DesiredCount")
    changed = configured != str(config.ecs.desired_count)
    return config.ecs.desired_count if changed else service.desired


def count_parameter(config: Config, state: "StackState | None", service: "Service | None") -> str:
    """What the stack is told: with scaling, a service that exists keeps its own count."""
    if config.ecs.scaling and service is not None:
        return "-1"
    return str(desired_count(config, state, service))


def ami(config: Config, now: "Snapshot", *, new: bool = False) -> str:
    """The id of the instances' image. Raises OpsError when AWS names none, or does not tell it."""
    if not config.compute.image.startswith("ssm:"):
        return config.compute.image
    state = now.stack("ecs")
    current = state.value("AmiId") if state else ""
    if new or not current:
        now.require("newest_image")
    image = (now.newest_image or current) if new else (current or now.newest_image)
    if not image:
        raise OpsError(
            f"the parameter {config.compute.image.removeprefix('ssm:')} names no image here",
            hint="set `compute.ami` in opsctl.yaml",
        )
    return image


def machine(config: Config) -> str:
    """A short hash of all that an instance gets when it starts, its image and type left out.

    It is an attribute of the container instance; one that differs is replaced by a roll.
    """
    compute, ecs = config.compute, config.ecs
    parts = {
        "volume": compute.volume.model_dump(mode="json"),
        "key_pair": compute.key_pair,
        "hop_limit": compute.metadata_hop_limit,
        "launch": compute.launch,
        "profile": compute.instance_profile_name,
        "group": compute.security_group_name,
        "ports": compute.dynamic_port_range,
        "cluster": ecs.cluster_name,
        "stop_timeout": int(ecs.stop_timeout.total_seconds()),
        "logs": {one.name: config.logs.group(one.name) for one in SOURCES if one.file},
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def alarms(config: Config, zones: Sequence[str] = (), *, released: bool = True) -> Stack:
    """Every alarm of the catalogue, a topic and a dashboard. Imports outputs of the ecs stack.

    Before the first release the alarms take no action.
    """
    template = templates.render(
        "alarms.yaml.j2",
        config=config,
        alarms=catalogue.catalogue(config, zones),
        ecs_stack=stack_name(config, "ecs"),
        operators=catalogue.OPERATORS,
        released=released,
    )
    return _stack(config, "alarms", template)


BY_KIND: Mapping[str, Callable[[Config], Stack]] = {
    "db": db,
    "ecr": ecr,
    "ecs": ecs,
    "alarms": alarms,
}


def stack_name(config: Config, kind: "Kind") -> str:
    return f"{config.system}-{kind}"


def _stack(
    config: Config,
    kind: "Kind",
    template: str,
    *,
    parameters: Mapping[str, str | None] | None = None,
    capabilities: tuple[Capability, ...] = (),
    imports: frozenset[str] = frozenset(),
) -> Stack:
    return Stack(
        name=stack_name(config, kind),
        kind=kind,
        template=template,
        parameters=parameters or {},
        capabilities=capabilities,
        tags={
            **config.tags,
            "opsctl:name": config.name,
            "opsctl:env": config.environment or "default",
            "opsctl:stack": kind,
            "opsctl:version": TEMPLATE_VERSION,
        },
        imports=imports,
    )


def _ecs_values(config: Config) -> dict[str, object]:
    ecs, compute, balancer = config.ecs, config.compute, config.load_balancer
    low, high = compute.dynamic_port_range
    fixed = ecs.host_ports == "fixed"
    checked = balancer.health_check.port
    admitted = sorted({*ecs.ports, *([checked] if isinstance(checked, int) else [])})
    by_zone = ecs.placement[:1] == ["attribute:ecs.availability-zone"]
    return {
        "config": config,
        "ecs": ecs,
        "compute": compute,
        "load_balancer": balancer,
        "logs": config.logs,
        "sources": SOURCES,
        "written_by": {
            role: [config.logs.group(one.name) for one in SOURCES if one.writer == role]
            for role in ("task", "execution", "instance")
        },
        "db_stack": stack_name(config, "db"),
        "load_balancer_subnets": config.network.load_balancer_subnets or config.network.subnets,
        "instance_subnets": compute.subnets or config.network.subnets,
        "log_groups": _log_groups(config),
        **_launch(compute),
        "unreleased": UNRELEASED,
        "machine": machine(config),
        # The agent takes a minute or two; the stack waits a little longer for the signal.
        "join_attempts": max(12, int(compute.signal_timeout.total_seconds() * 0.9) // 5),
        "check_timeout": _check_timeout(balancer.health_check),
        # What the load balancer may reach on an instance.
        "port_ranges": [(port, port) for port in admitted] if fixed else [(low, high)],
        "threshold": _threshold(ecs.breaker.threshold),
        "rebalancing": ecs.availability_zone_rebalancing and by_zone and ecs.maximum_percent > 100,
        "alarm_names": [
            *ecs.breaker.alarms,
            *catalogue.full_names(config, config.alarms.roll_back_on),
        ],
        "task_secrets": references.container_secrets(config),
        "execution_reads": references.statements(config.ecs.secrets.values()),
        "task_reads": references.statements(config.secrets.values.values()),
    }


def _launch(compute: Compute) -> dict[str, object]:
    """The kind of launch, and the volume that goes with it unless another one is written."""
    volume = compute.volume
    if compute.launch == "configuration":
        launch, kind, size, device = "LaunchConfiguration", "gp2", 22, "/dev/xvdcz"
    else:
        launch, kind, size, device = "LaunchTemplate", "gp3", 30, "/dev/xvda"
    return {
        "launch": launch,
        "volume_type": volume.type or kind,
        "volume_size": volume.size or size,
        "volume_device": volume.device or device,
    }


def _check_timeout(check: TargetHealthCheck) -> int | None:
    """Seconds, where the load balancer's own would be longer than the interval."""
    interval = int(check.interval.total_seconds())
    default = 6 if check.protocol == "HTTP" else 10
    return interval if interval < default else None


def _threshold(written: int | str | None) -> tuple[str, int] | None:
    """The breaker's, as ECS has it: its type and its value."""
    if isinstance(written, str):
        return "BOUNDED_PERCENT", int(written.removesuffix("%"))
    return ("COUNT", written) if written else None


def _cluster_parameters(db: Db) -> str:
    """The default parameter group of the engine's version in cluster mode; '' where it is not.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
    """
    if not db.shards:
        return ""
    major, _, minor = db.version.partition(".")
    family = major if int(major) >= 7 else f"{major}.x" if major == "6" else f"{major}.{minor[0]}"
    return f"default.{db.engine}{family}.cluster.on"


def _log_groups(config: Config) -> dict[str, str]:
    """Logical id -> name; two sources may share a group, which is then made once."""
    groups = {source.logical_id: config.logs.group(source.name) for source in SOURCES}
    first = {name: logical for logical, name in reversed(groups.items())}
    return {logical: name for logical, name in groups.items() if first[name] == logical}
