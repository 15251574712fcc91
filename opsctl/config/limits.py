"""Find in the config alone what AWS or arithmetic would refuse, before anything is sent."""

import re
from collections.abc import Callable, Iterator
from math import ceil

from opsctl.config import db_limits, instances, refusals, sources
from opsctl.config.document import Path
from opsctl.config.finding import Finding
from opsctl.config.model import Config, HealthCheck
from opsctl.config.regions import REGIONS
from opsctl.config.secret_words import looks_secret
from opsctl.errors import nearest

_HEALTH_PORT = 80  # of the default container health check
_RESERVED = frozenset({22, 2375, 2376, 51678, 51679, 51680})
_MOST_FIXED = 95  # of a hundred, with some of the reserved ones
_MOST_GIB = 16384
# GiB of the ECS-optimised image, and the device of its root volume. Source:
# https://github.com/aws/amazon-ecs-ami, variables.pkr.hcl, block_device_size_gb
_IMAGE_SIZE, _ROOT = 30, "/dev/xvda"
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, Name
_LIKE_A_SUFFIX = re.compile(r"^secretsmanager:(?!arn:).*-[A-Za-z0-9]{6}$")
_ARCHITECTURES = {"linux/amd64": "x86_64", "linux/arm64": "arm64"}


def check(config: Config) -> list[Finding]:
    """Return every refusal and warning, in the order of the sections."""
    return [finding for rule in _RULES for finding in rule(config)]


def _subnets(config: Config) -> Iterator[Finding]:
    chosen = config.network.load_balancer_subnets
    path: Path = ("network", "subnets" if chosen is None else "load_balancer_subnets")
    subnets = config.network.subnets if chosen is None else chosen
    if len(set(subnets)) < 2:
        text = "the load balancer is in one availability zone only, and fails with it"
        yield Finding(path, text, refuses=False)


def _region(config: Config) -> Iterator[Finding]:
    region, zone = config.aws.region, config.db.availability_zone
    if region is not None and region not in REGIONS:
        near = nearest(region, REGIONS) or "us-east-1"
        yield Finding(("aws", "region"), f"found `{region}`, allowed: a Region such as {near}")
    elif zone is not None and not zone.startswith(region or REGIONS):
        text = f"`{zone}` is not in {region or 'any Region'}"
        yield Finding(("db", "availability_zone"), text)


def _ingress(config: Config) -> Iterator[Finding]:
    """EC2: "The same permission must not appear multiple times"."""
    if config.compute.ingress == "described":
        return
    rules = [(one.port, str(cidr)) for one in config.compute.ingress for cidr in one.cidrs]
    for port, cidr in {rule for rule in rules if rules.count(rule) > 1}:
        yield Finding(("compute", "ingress"), f"port {port} is opened to {cidr} twice")


def _scaling(config: Config) -> Iterator[Finding]:
    scaling = config.ecs.scaling
    if scaling is None:
        return
    path: Path = ("ecs", "scaling")
    if scaling.minimum > scaling.maximum:
        text = f"minimum {scaling.minimum} <= maximum {scaling.maximum} must hold"
        yield Finding((*path, "minimum"), text)
    if not (scaling.cpu_percent or scaling.memory_percent or scaling.requests):
        text = "nothing is measured; set `cpu_percent`, `memory_percent` or `requests`"
        yield Finding(path, text)


def _ports(config: Config) -> Iterator[Finding]:
    if config.load_balancer.container_port not in config.ecs.ports:
        yield Finding(
            ("load_balancer", "container_port"),
            f"found `{config.load_balancer.container_port}`, allowed: one of `ecs.ports` "
            f"({', '.join(map(str, config.ecs.ports))})",
        )
    low, high = config.compute.dynamic_port_range
    per_instance = ceil(config.ecs.most_tasks / max(config.compute.desired, 1))
    needed = per_instance * len(config.ecs.ports)
    if low >= high:
        yield Finding(("compute", "dynamic_port_range"), f"{low} is not below {high}")
    elif config.ecs.host_ports == "dynamic" and high - low + 1 < needed:
        text = f"{high - low + 1} ports; the tasks of an instance need {needed}"
        yield Finding(("compute", "dynamic_port_range"), text)
    command = config.ecs.health_check.command
    if command == HealthCheck().command and _HEALTH_PORT not in config.ecs.ports:
        yield Finding(
            ("ecs", "health_check", "command"),
            f"the default asks port {_HEALTH_PORT}, which is not one of `ecs.ports`; write another "
            "command, or null",
        )
    port = config.load_balancer.health_check.port
    if config.ecs.host_ports == "dynamic" and port != "traffic-port":
        yield Finding(
            ("load_balancer", "health_check", "port"),
            "ECS refuses a fixed check port with dynamic host ports; take traffic-port",
        )
    if config.ecs.host_ports == "fixed":
        yield from _fixed(config, per_instance)


def _fixed(config: Config, per_instance: int) -> Iterator[Finding]:
    """botocore, `PortMapping.hostPort`: the ports that an instance has reserved, and how many."""
    ports, checked = config.ecs.ports, config.load_balancer.health_check.port
    if reserved := sorted(_RESERVED.intersection(ports)):
        text = f"ECS reserves {', '.join(map(str, reserved))} on each instance"
        yield Finding(("ecs", "ports"), f"{text}; take other ports, or `ecs.host_ports: dynamic`")
    if len(ports) > _MOST_FIXED:
        text = f"{len(ports)} ports; an instance has {_MOST_FIXED} fixed ones at most"
        yield Finding(("ecs", "ports"), text)
    if checked != "traffic-port" and checked not in ports:
        text = f"no task listens on {checked}; take traffic-port or one of `ecs.ports`"
        yield Finding(("load_balancer", "health_check", "port"), text)
    if per_instance > 1:
        yield Finding(
            ("ecs", "host_ports"),
            f"a fixed port is free once on an instance, and {config.ecs.most_tasks} tasks on "
            f"{config.compute.desired} instances need it {per_instance} times; take dynamic",
        )


def _percents(config: Config) -> Iterator[Finding]:
    """ECS: "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block
    deployments."
    """
    if config.ecs.minimum_healthy_percent == config.ecs.maximum_percent == 100:
        path: Path = ("ecs", "minimum_healthy_percent")
        yield Finding(path, "with `maximum_percent: 100` no task can ever be replaced; take 50")


def _sizes(config: Config) -> Iterator[Finding]:
    compute = config.compute
    if not compute.minimum <= compute.desired <= compute.maximum:
        yield Finding(
            ("compute", "desired"),
            f"minimum {compute.minimum} <= desired {compute.desired} <= maximum "
            f"{compute.maximum} must hold",
        )
    own = instances.architecture(compute.instance_type)
    if own != compute.architecture:
        text = f"`{compute.instance_type}` is {own}, not {compute.architecture}"
        yield Finding(("compute", "architecture"), text)
    kind = instances.find(compute.instance_type)
    if kind is None:
        yield _unknown(compute.instance_type)
        return
    if kind.holds(config.ecs.cpu, config.ecs.memory) == 0:
        yield Finding(
            ("ecs", "cpu" if kind.cpu < config.ecs.cpu else "memory"),
            f"no `{kind.name}` can hold a task of {config.ecs.cpu} CPU and "
            f"{config.ecs.memory} MiB: it has {kind.cpu} CPU and about {kind.memory} MiB",
            cause="no-room",
        )
    else:
        yield from _room(config, kind)


def _unknown(name: str) -> Finding:
    path: Path = ("compute", "instance_type")
    offered = instances.offered()
    if name not in offered:
        family = [one for one in offered if one.startswith(f"{name.partition('.')[0]}.")]
        near = nearest(name, family) or nearest(name, offered) or "t3.xlarge"
        return Finding(path, f"found `{name}`, allowed: an instance type such as {near}")
    text = f"`{name}` is not in opsctl's table, so its capacity is not checked; to ask AWS whether"
    return Finding(path, f"{text} it is sold here: opsctl doctor", refuses=False)


def _room(config: Config, kind: instances.InstanceType) -> Iterator[Finding]:
    ecs, compute = config.ecs, config.compute
    per_instance = kind.holds(ecs.cpu, ecs.memory) if ecs.host_ports == "dynamic" else 1
    count = compute.maximum if compute.capacity_provider else compute.desired
    room, tasks = per_instance * count, ecs.most_tasks
    fewest = ceil(tasks * ecs.minimum_healthy_percent / 100)
    most = tasks * ecs.maximum_percent // 100
    arithmetic = (
        f"{tasks} tasks x {ecs.cpu} CPU, {ecs.memory} MiB at {ecs.minimum_healthy_percent}/"
        f"{ecs.maximum_percent} %: {count} x {kind.name} hold {room}"
    )
    if tasks > room:
        yield Finding(
            ("ecs", "scaling" if ecs.scaling else "desired_count"),
            f"{arithmetic}; choose larger instances, more of them, fewer or smaller tasks",
            cause="no-room",
        )
    elif tasks and fewest >= tasks and min(most, room) <= tasks:
        yield Finding(
            ("ecs", "minimum_healthy_percent"),
            f"{arithmetic}, so no task can ever be replaced; choose "
            f"minimum_healthy_percent {100 * (tasks - 1) // tasks} or less, a larger "
            "maximum_percent and room for one more task",
            cause="no-room",
        )


def _instances(config: Config) -> Iterator[Finding]:
    compute = config.compute
    root = compute.volume.device == _ROOT or (
        compute.volume.device is None and compute.launch == "template"
    )
    volume, path, of_ecs = compute.volume, compute.image, "/ecs/optimized-ami/" in compute.image
    if root and of_ecs and (volume.size or _IMAGE_SIZE) < _IMAGE_SIZE:
        yield Finding(
            ("compute", "volume", "size"),
            f"the instances' image is {_IMAGE_SIZE} GiB, and no smaller volume can hold it",
        )
    if (volume.size or 0) > _MOST_GIB and (volume.type == "gp2" or compute.launch != "template"):
        text = f"a gp2 volume has {_MOST_GIB} GiB at most"
        yield Finding(("compute", "volume", "size"), text)
    arm = compute.architecture == "arm64"
    other = "x86_64" if arm else "arm64"
    differs = other in path and compute.architecture not in path
    if path.startswith("ssm:") and (differs or (of_ecs and ("/arm64/" in path) != arm)):
        yield Finding(
            ("compute", "ami"),
            f"this image is not for {compute.architecture}; leave `compute.ami` out to have the "
            "newest one that is",
        )
    elif of_ecs and "amazon-linux-2023" not in path:
        text = "the instances' start needs Amazon Linux 2023, and this is another system"
        yield Finding(("compute", "ami"), text)
    elif of_ecs and path.endswith("/recommended"):
        yield Finding(("compute", "ami"), f"holds more than an id; write {path}/image_id")
    if compute.launch == "configuration" and instances.is_too_new(compute.instance_type):
        text = f"no launch configuration takes `{compute.instance_type}`; take `launch: template`"
        yield Finding(("compute", "launch"), text)
    # botocore: a provider's name "can't be prefixed with aws, ecs, or fargate". CloudFormation
    # derives the name from the stack's.
    if compute.capacity_provider and config.system.startswith(("aws", "ecs", "fargate")):
        yield Finding(
            ("compute", "capacity_provider"),
            "AWS refuses a capacity provider whose name begins with aws, ecs or fargate; "
            "choose another `name`",
        )


def _distinct(config: Config) -> Iterator[Finding]:
    """Two security groups of a network never share a name, nor two mappings of a task a port."""
    taken: dict[str, str] = {}
    for section in ("db", "compute", "load_balancer"):
        name = getattr(config, section).security_group_name.lower()  # EC2 does not tell them apart
        if name and name in taken:
            text = f"`{name}` is the name under `{taken[name]}.security_group_name` too"
            yield Finding((section, "security_group_name"), text)
        taken.setdefault(name, section)
    ports = config.ecs.ports
    if len(set(ports)) < len(ports):
        yield Finding(("ecs", "ports"), "each port once")


def _checks(config: Config) -> Iterator[Finding]:
    command = config.ecs.health_check.command
    if command is not None and (
        len(command) < 2
        or command[0] not in ("CMD", "CMD-SHELL")
        or (command[0] == "CMD-SHELL" and len(command) > 2)
    ):
        yield Finding(
            ("ecs", "health_check", "command"),
            "allowed: [CMD, program, its words] or [CMD-SHELL, one command line]",
        )


def _image(config: Config) -> Iterator[Finding]:
    platform = config.image.platform
    if platform is not None and _ARCHITECTURES[platform] != config.compute.architecture:
        yield Finding(
            ("image", "platform"),
            f"the instances are {config.compute.architecture}, the image would be {platform}",
        )


def _secrets(config: Config) -> Iterator[Finding]:
    for key, reference in config.secret_references.items():
        if _LIKE_A_SUFFIX.search(reference.partition("#")[0]) and not key.startswith("db."):
            text = (
                "Secrets Manager takes the name's end for the six characters that it appends; "
                "write the whole ARN: secretsmanager:arn:…"
            )
            yield Finding(tuple(key.split(".")), text)
    for name, reference in config.ecs.secrets.items():
        if reference.startswith("env:"):
            yield Finding(
                ("ecs", "secrets", name),
                "`env:` works locally only; take ssm: or secretsmanager:",
            )
    for name in config.ecs.environment:
        if name in config.ecs.secrets:
            yield Finding(("ecs", "environment", name), "is written under `ecs.secrets` too")
        elif looks_secret(name):
            text = "looks like a secret in clear; `ecs.secrets` takes a reference"
            yield Finding(("ecs", "environment", name), text, refuses=False)


def _selections(config: Config) -> Iterator[Finding]:
    for name, selection in config.logs.selections.items():
        path: Path = ("logs", "selections", name)
        if name in sources.NAMES:
            yield Finding(path, "is the name of a log source already")
        for source in selection.sources:
            if source not in sources.NAMES:
                allowed = ", ".join(sources.NAMES)
                yield Finding((*path, "sources"), f"found `{source}`, allowed: {allowed}")
        for key in ("grep", "exclude", "highlight"):
            try:
                re.compile(getattr(selection, key))
            except re.error as error:
                yield Finding((*path, key), f"is not a regular expression: {error}")


def _doubts(config: Config) -> Iterator[Finding]:
    compute = config.compute
    if config.alarms.email and config.alarms.topic:
        text = "is not used beside `alarms.topic`; subscribe the address to that topic"
        yield Finding(("alarms", "email"), text, refuses=False)
    if compute.ingress == "described":
        text = "opens 0-65535, 22, 80 and 8082 to the world; name the ports and CIDRs you need"
        yield Finding(("compute", "ingress"), text, refuses=False)
    if compute.role == "described":
        text = "grants far more than the instances need; `scoped` is enough"
        yield Finding(("compute", "role"), text, refuses=False)
    if compute.launch == "configuration":
        text = "accounts made since 2024-10-01 cannot create launch configurations"
        yield Finding(("compute", "launch"), text, refuses=False)
    kind = instances.find(compute.instance_type)
    if 0 < compute.maximum <= compute.desired and kind is not None:
        # An instance leaves before its replacement arrives, so the others must hold its tasks.
        others = (compute.desired - 1) * kind.holds(config.ecs.cpu, config.ecs.memory)
        if others < config.ecs.most_tasks:
            text = (
                f"an instance cannot be replaced: {compute.desired - 1} of {compute.desired} hold "
                f"{others} of {config.ecs.most_tasks} tasks; {compute.desired + 1} would do"
            )
            yield Finding(("compute", "maximum"), text, refuses=False)


_RULES: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _region,
    _subnets,
    db_limits.check,
    _scaling,
    _ports,
    _percents,
    _sizes,
    _instances,
    _ingress,
    _distinct,
    _checks,
    _image,
    _secrets,
    _selections,
    refusals.check,
    _doubts,
)
