"""The desired state of a stack: a rendered template with its parameters and tags. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opsctl import templates
from opsctl.alarms import catalogue
from opsctl.config.model import Config
from opsctl.config.sources import SOURCES
from opsctl.snapshot.snapshot import Kind, Snapshot
from opsctl.stacks import references

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

    An empty template keeps the one that the stack has.
    """

    name: str
    kind: Kind
    template: str
    parameters: Mapping[str, str | None]
    capabilities: tuple[Capability, ...]
    tags: Mapping[str, str]

    @property
    def command(self) -> str:
        """The word after `opsctl` that changes it: the repository belongs to `ecs`."""
        return "ecs" if self.kind == "ecr" else self.kind


def db(config: Config) -> Stack:
    """ElastiCache. Outputs RedisAddress, RedisPort, RedisEndpoint, SecurityGroup."""
    template = templates.render(
        "db.yaml.j2",
        config=config,
        db=config.db,
        subnets=config.db.subnets or config.network.subnets,
        password=config.db.password and references.dynamic(config.db.password),
    )
    return _stack(config, "db", template)


def ecr(config: Config) -> Stack:
    """The repository, which outlives the service. Outputs RepositoryUri, RepositoryName."""
    return _stack(config, "ecr", templates.render("ecr.yaml.j2", config=config))


def ecs(config: Config) -> Stack:
    """The service and all it runs on. `Image` and `DesiredCount` are for the caller to replace."""
    template = templates.render("ecs.yaml.j2", **_ecs_values(config))
    return _stack(
        config,
        "ecs",
        template,
        parameters={
            "Image": f"{config.image.repository}:{UNRELEASED}",
            "DesiredCount": str(config.ecs.desired_count),
        },
        capabilities=_NAMED_IAM,
    )


def released(stack: Stack, now: Snapshot) -> Stack:
    """The ecs stack with the image it has; without one no task, as nothing could be pulled."""
    state = now.stack("ecs")
    image = state.parameters.get("Image", "") if state else ""
    if image and not image.endswith(f":{UNRELEASED}"):
        return replace(stack, parameters={**stack.parameters, "Image": image})
    if not image:
        image = stack.parameters["Image"] or ""
        if repository := now.output("ecr", "RepositoryUri"):
            image = f"{repository}:{UNRELEASED}"
    parameters = {**stack.parameters, "Image": image, "DesiredCount": "0"}
    return replace(stack, parameters=parameters)


def alarms(config: Config) -> Stack:
    """Every alarm of the catalogue, a topic and a dashboard. Imports outputs of the ecs stack."""
    template = templates.render(
        "alarms.yaml.j2",
        config=config,
        alarms=catalogue.catalogue(config),
        ecs_stack=stack_name(config, "ecs"),
        operators={
            ">": "GreaterThanThreshold",
            "<": "LessThanThreshold",
            ">=": "GreaterThanOrEqualToThreshold",
        },
    )
    return _stack(config, "alarms", template)


def stack_name(config: Config, kind: Kind) -> str:
    return f"{config.system}-{kind}"


def _stack(
    config: Config,
    kind: Kind,
    template: str,
    *,
    parameters: Mapping[str, str | None] | None = None,
    capabilities: tuple[Capability, ...] = (),
) -> Stack:
    return Stack(
        name=stack_name(config, kind),
        kind=kind,
        template=template,
        parameters=parameters or {},
        capabilities=capabilities,
        tags={
            "opsctl:name": config.name,
            "opsctl:env": config.environment or "default",
            "opsctl:stack": kind,
            "opsctl:version": TEMPLATE_VERSION,
        },
    )


def _ecs_values(config: Config) -> dict[str, object]:
    ecs, compute, balancer = config.ecs, config.compute, config.load_balancer
    configuration = compute.launch == "configuration"
    low, high = compute.dynamic_port_range
    fixed = ecs.host_ports == "fixed"
    checked = balancer.health_check.port
    admitted = sorted({*ecs.ports, *([checked] if isinstance(checked, int) else [])})
    by_zone = ecs.placement[:1] == ["attribute:ecs.availability-zone"]
    ami = compute.ami
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
        "launch": "LaunchConfiguration" if configuration else "LaunchTemplate",
        "volume_type": compute.volume.type or ("gp2" if configuration else "gp3"),
        "volume_size": compute.volume.size or (22 if configuration else 30),
        "volume_device": compute.volume.device or ("/dev/xvdcz" if configuration else "/dev/xvda"),
        "ami_parameter": ami.removeprefix("ssm:") if ami.startswith("ssm:") else None,
        # What the load balancer may reach on an instance.
        "port_ranges": [(port, port) for port in admitted] if fixed else [(low, high)],
        "rebalancing": ecs.availability_zone_rebalancing and by_zone and ecs.maximum_percent > 100,
        # One instance at a time, and never fewer than can stay while another comes.
        "in_service": max(0, min(compute.desired, compute.maximum - 1)),
        "alarm_names": [*ecs.breaker.alarms, *config.alarms.roll_back_on],
        "task_secrets": references.container_secrets(config),
        "execution_reads": references.statements(config.ecs.secrets.values()),
        "task_reads": references.statements(config.secrets.values.values()),
    }


def _log_groups(config: Config) -> dict[str, str]:
    """Logical id -> name; two sources may share a group, which is then made once."""
    groups = {source.logical_id: config.logs.group(source.name) for source in SOURCES}
    first = {name: logical for logical, name in reversed(groups.items())}
    return {logical: name for logical, name in groups.items() if first[name] == logical}
