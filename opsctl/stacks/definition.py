"""The desired state of each stack: a rendered template with its parameters and tags. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from opsctl import templates
from opsctl.alarms import catalogue
from opsctl.config import deployment, instances
from opsctl.config.model import Compute, Config, Db, TargetHealthCheck
from opsctl.config.sources import SOURCES, START_LOG_BEGINS, START_LOG_ENDS
from opsctl.errors import OpsError
from opsctl.stacks import references

if TYPE_CHECKING:
    # Imported here because `render` and `config check` do without; it takes a tenth of their time.
    from opsctl.snapshot.service import Service
    from opsctl.snapshot.snapshot import Kind, Snapshot
    from opsctl.snapshot.stacks import StackState

Capability = Literal["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
# Capability that CloudFormation requires for IAM resources with custom names.
_NAMED_IAM: tuple[Capability, ...] = ("CAPABILITY_NAMED_IAM",)
# Increase this when a change of the templates matters to those who read a stack's tags.
TEMPLATE_VERSION = "1"
# Parameter of a stack that has or had a capacity provider.
GROUP_SIZE = "GroupSize"
# Parameter of a stack whose task definition was made anew, after somebody deregistered this one.
_DEREGISTERED = "Deregistered"
# `DesiredCount` of a service that has a count, and scales.
_KEPT = "-1"
# The image tag of a stack before its first release.
UNRELEASED = "unreleased"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it should be. `kind` is the config's word (`db`).

    A parameter that is None keeps the stack's value; an empty template keeps the stack's template.
    `imports` are the logical ids of existing resources to take over. With `reverts_drift`
    CloudFormation compares the template with the live resources and reverts what was changed
    outside of it.
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
        """The `opsctl` command that changes this stack. The repository belongs to `ecs`."""
        return "ecs" if self.kind == "ecr" else self.kind


def db(config: Config, snapshot: str | None = "", *, failover: bool = True) -> Stack:
    """Return the cache's stack. Outputs: RedisAddress, RedisPort, RedisEndpoint, SecurityGroup.

    `snapshot` is what a new cache starts with: '' for nothing, None for what the stack has. Without
    a snapshot the template does not mention it, because even an empty value may replace the cache.
    Without `failover` a primary has replicas that do not take its place.
    """
    template = templates.render(
        "db.yaml.j2",
        config=config,
        db=config.db,
        subnets=config.db.subnets or config.network.subnets,
        password=config.db.password and references.dynamic(config.db.password),
        cluster_parameters=_cluster_parameters(config.db),
        restored=snapshot != "",
        failover=failover and config.db.nodes > 1,
    )
    parameters = {} if snapshot == "" else {"Snapshot": snapshot}
    return _stack(config, "db", template, parameters=parameters)


def ecr(config: Config, imports: frozenset[str] = frozenset()) -> Stack:
    """Return the repository's stack, which outlives the service.

    Outputs: RepositoryUri, RepositoryName.
    """
    template = templates.render("ecr.yaml.j2", config=config, imports=imports)
    return _stack(config, "ecr", template, imports=imports)


def ecs(
    config: Config,
    imports: frozenset[str] = frozenset(),
    *,
    state: "StackState | None" = None,
    deregistered: str = "",
) -> Stack:
    """Return the service's stack. The caller replaces its parameters `Image` and `DesiredCount`.

    `state` is the present stack: a service that had a capacity provider must be told to leave it.
    `deregistered` is the stack's task definition if it must be made anew.
    """
    anew = deregistered or (state is not None and _DEREGISTERED in state.parameters)
    had_provider = state is not None and GROUP_SIZE in state.parameters
    provider = config.compute.capacity_provider
    template = templates.render(
        "ecs.yaml.j2",
        **_ecs_values(config),
        imports=imports,
        registered_anew=bool(anew),
        left_provider=had_provider and not provider,
        configured_instances=instances.sizes(
            config.compute.minimum,
            config.compute.maximum,
            None if provider or had_provider else config.compute.desired,
        ),
    )
    size = {GROUP_SIZE: str(config.compute.desired)} if provider or had_provider else {}
    registered = {_DEREGISTERED: deregistered or None} if anew else {}
    return _stack(
        config,
        "ecs",
        template,
        parameters={
            "Image": UNRELEASED,
            "DesiredCount": str(config.ecs.fewest_tasks),
            "AmiId": None if config.compute.image.startswith("ssm:") else config.compute.image,
            **size,
            **registered,
        },
        capabilities=_NAMED_IAM,
        imports=imports,
    )


def live(stack: Stack, config: Config, now: "Snapshot", *, new_image: bool = False) -> Stack:
    """Return the ecs stack with values of the live system that nobody asked to change.

    The release stays. A count set by hand stays, unless the config's count has changed. The machine
    image stays, unless `new_image`.
    """
    state = now.stack("ecs")
    parameters = {
        # None keeps the stack's own value at that moment: a release may end while this command
        # waits.
        "Image": None if state and "Image" in state.parameters else UNRELEASED,
        "DesiredCount": count_parameter(config, state, now.service),
        "AmiId": ami(config, now, new=new_image),
    }
    if config.compute.capacity_provider and state and GROUP_SIZE in state.parameters:
        # The size is the capacity provider's. Reverting drift, too, must not find another one.
        live = now.group.desired if stack.reverts_drift and now.group else None
        parameters[GROUP_SIZE] = None if live is None else str(live)
    return replace(stack, parameters={**stack.parameters, **parameters})


def release(state: "StackState | None") -> str:
    """Return the image that the stack runs, or '' before the first release."""
    image = state.parameters.get("Image", "") if state else ""
    return "" if image.endswith(UNRELEASED) else image


def desired_count(config: Config, state: "StackState | None", service: "Service | None") -> int:
    """Return the desired count for the template. Every update of the service sets it, so it must be
    the live count.

    Source: https://github.com/aws/containers-roadmap/issues/493
    """
    if state is None or service is None:
        return config.ecs.fewest_tasks
    if config.ecs.scaling:
        return service.desired
    configured = state.outputs.get("ConfiguredCount") or state.parameters.get("DesiredCount")
    changed = configured != configured_count(config) or scales(state)
    return config.ecs.desired_count if changed else service.desired


def configured_count(config: Config) -> str:
    """Return what the config asks for: a number, or with scaling its bounds."""
    scaling = config.ecs.scaling
    return f"{scaling.minimum} to {scaling.maximum}" if scaling else str(config.ecs.desired_count)


def scales(state: "StackState | None") -> bool:
    """Return whether the stack's service scales by itself."""
    if state is None:
        return False
    bounds = " to " in state.outputs.get("ConfiguredCount", "")
    return bounds or state.parameters.get("DesiredCount") == _KEPT


def count_parameter(config: Config, state: "StackState | None", service: "Service | None") -> str:
    """Return the parameter's value. With scaling, -1 keeps the count of an existing service."""
    if config.ecs.scaling and service is not None:
        return _KEPT
    return str(desired_count(config, state, service))


def machine_image(config: Config, now: "Snapshot", *, new: bool = False) -> str:
    """Return the image of the next instance, or '' when it is not known.

    It is the one that the config names, else the stack's present one, else AWS's newest. With
    `new`, AWS's newest comes before the present one.
    """
    if not config.compute.image.startswith("ssm:"):
        return config.compute.image
    state = now.stack("ecs")
    current = state.value("AmiId") if state else ""
    return now.newest_image if new else (current or now.newest_image)


def ami(config: Config, now: "Snapshot", *, new: bool = False) -> str:
    """Return the machine image's id. Raises OpsError when AWS has none or could not be read."""
    image = machine_image(config, now, new=new)
    if not image:
        now.require("newest_image")
    if config.compute.image.startswith("ssm:") and not image.startswith("ami-"):
        raise OpsError(
            f"the parameter {config.compute.image.removeprefix('ssm:')} names no image here",
            hint="set `compute.ami` in opsctl.yaml",
        )
    return image


def machine(config: Config) -> str:
    """Return a short hash of everything an instance starts with, except its image and type.

    It is an attribute of the container instance. A roll replaces instances with another hash.
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
    """Return the alarms' stack: the catalogue's alarms, a topic and a dashboard.

    It imports outputs of the ecs stack. Before the first release the alarms take no action.
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
    waits = int(compute.signal_timeout.total_seconds())
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
        # The stack counts from before the boot, and the instance gives up before the stack does:
        # after two waits for packages, one for cfn-init, and the agent's minute or two.
        "patience": max(15, min(240, waits // 4)),
        "join_deadline": max(60, int(waits * 0.8)),
        "cannot_start": START_LOG_BEGINS,
        "start_log_ends": START_LOG_ENDS,
        "check_timeout": _check_timeout(balancer.health_check),
        # Ports that the load balancer may reach on an instance.
        "port_ranges": [(port, port) for port in admitted] if fixed else [(low, high)],
        "opened": _opened(compute),
        "threshold": _threshold(ecs.breaker.threshold),
        "rebalancing": ecs.availability_zone_rebalancing and by_zone and ecs.maximum_percent > 100,
        # Each once: the same alarm may be written under its short and its full name.
        "alarm_names": [
            *dict.fromkeys(
                [
                    *ecs.breaker.alarms,
                    *catalogue.full_names(config, config.alarms.roll_back_on),
                ]
            )
        ],
        "configured_count": configured_count(config),
        "configured_deployment": deployment.in_words(
            ecs.minimum_healthy_percent,
            ecs.maximum_percent,
            breaker=ecs.breaker.enable,
            rollback=ecs.breaker.rollback,
        ),
        "task_secrets": references.container_secrets(config),
        "execution_reads": references.statements(config.ecs.secrets.values()),
        "task_reads": references.statements(config.secrets.values.values()),
    }


def _launch(compute: Compute) -> dict[str, object]:
    """Return the kind of launch with its default volume, unless the config sets another."""
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


def _opened(compute: Compute) -> list[tuple[int, int, str, str]]:
    """Return the ports that are open to others than the load balancer: low, high, CIDR, words."""
    if compute.ingress == "described":
        world = "0.0.0.0/0"
        service = [(port, port, world, "Service") for port in (80, 8082)]
        every = (0, 65535, world, "Ports that the load balancer is given")
        return [every, (22, 22, world, "SSH"), *service]
    return [
        (one.port, one.port, cidr, "Opened in opsctl.yaml")
        for one in compute.ingress
        for cidr in one.cidrs
    ]


def _check_timeout(check: TargetHealthCheck) -> int | None:
    """Return a timeout below the interval where AWS's default leaves no room, else None.

    "Health check interval must be greater than the timeout." TCP's default of 10 s every 10 s is
    what AWS has always taken.
    """
    interval = int(check.interval.total_seconds())
    http = check.protocol == "HTTP"
    return interval - 1 if interval < 10 and (not http or interval <= 6) else None


def _threshold(written: int | str | None) -> tuple[str, int] | None:
    """Return the breaker's threshold as ECS expects it: (type, value)."""
    if isinstance(written, str):
        return "BOUNDED_PERCENT", int(written.removesuffix("%"))
    return ("COUNT", written) if written else None


def _cluster_parameters(db: Db) -> str:
    """Return the default parameter group in cluster mode for the engine's version, or ''."""
    return f"default.{db.engine}{db.family}.cluster.on" if db.has_cluster_parameters else ""


def _log_groups(config: Config) -> dict[str, str]:
    """Return logical id -> name. Sources that share a group yield it once."""
    groups = {source.logical_id: config.logs.group(source.name) for source in SOURCES}
    first = {name: logical for logical, name in reversed(groups.items())}
    return {logical: name for logical, name in groups.items() if first[name] == logical}
