"""Bring up or remove the service and everything under it: repository, stack, instances."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from opsctl.cause import balancer, groups, rollouts
from opsctl.cause.history import History
from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.rollout import roll_instances, scale
from opsctl.rollout.shrink import Shrinking, foresee
from opsctl.snapshot import stacks, targets
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.taken import MACHINE_IMAGE, Named
from opsctl.stacks import change, definition, join, remove, states
from opsctl.stacks.absent import absent
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
# The end of an operation during which the cache's stack has no outputs yet, or loses them.
_WITHOUT_OUTPUTS = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE")
_LOOK = Look(
    frozenset(
        {"stacks", "service", "targets", "target_groups", "newest_image", "group", "deregistered"}
    ),
    ("db", "ecr", "ecs"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for beyond the config.

    `new_image` takes the newest machine image; `imports` takes over existing log groups and an
    existing repository; `reverts_drift` restores what was changed outside of opsctl.
    """

    new_image: bool = False
    imports: bool = False
    reverts_drift: bool = False


DEFAULTS = Options()


def preview(clients: "Clients", config: Config, options: Options = DEFAULTS) -> Procedure[bool]:
    """Yield both plans and the instances to be replaced.

    Returns True when anything would change.
    """
    bucket = config.aws.bucket
    desired = yield from _repository(clients, config, options)
    repository = yield from change.preview(clients, desired, bucket=bucket)
    service = yield from _service(clients, config, options)
    planned = yield from change.planned(clients, service, bucket=bucket)
    yield from foresee(config, planned)
    replaces = yield from _replaces(config, service, (yield from join.describe("ecs")))
    return repository or not planned.is_empty or replaces


def up(
    clients: "Clients",
    config: Config,
    options: Options = DEFAULTS,
    *,
    observer: change.Observer | None = None,
) -> Procedure[Outcome]:
    """Bring both stacks to their desired state, then replace instances that differ from it.

    `observer` is notified of the service stack's change. Raises OpsError without the db stack,
    whose security group the service stack imports.
    """
    bucket = config.aws.bucket
    yield from _require_cache(config)
    repository = yield from _repository(clients, config, options)
    outcome = yield from change.up(clients, repository, bucket=bucket)
    if not outcome.good:
        return outcome
    service = yield from _service(clients, config, options)
    # Look before the question, which also names the instances.
    state = yield from join.describe("ecs")
    replaces = yield from _replaces(config, service, state)
    unscaled = definition.scales(state) and not config.ecs.scaling
    renew = partial(_wanted, clients, config, options)
    observer = Shrinking(clients, config, observer)
    outcome = yield from change.up(clients, service, bucket=bucket, observer=observer, renew=renew)
    if outcome.good and unscaled:
        outcome = yield from scale.reset(clients, config)
    if not outcome.good:
        return outcome
    if not definition.release((yield from join.describe("ecs"))):
        yield Notice("no release yet, so no task runs; next: opsctl update-tasks")
    if replaces:
        agreed = outcome.kind == "done"
        return (yield from roll_instances.roll_instances(clients, config, agreed=agreed))
    return outcome


def _require_cache(config: Config) -> Procedure[None]:
    db = (yield from look_at(_LOOK)).require("stacks").stack("db")
    if db is None:
        raise (yield from absent(config, "db"))
    if db.status in states.DEAD or states.EXPECTED.get(db.status) in _WITHOUT_OUTPUTS:
        raise OpsError(
            f"{states.in_words(db)}; `{config.system}-ecs` needs its outputs",
            hint="opsctl db up",
        )


def _replaces(config: Config, service: Stack, state: StackState | None) -> Procedure[bool]:
    """Yield the instances that this change would replace. Returns True when there are any."""
    if state is None or not state.exists:
        return False
    image = service.parameters["AmiId"] or ""
    return (yield from roll_instances.preview(config, state, image))


def down(clients: "Clients", config: Config, *, repository: bool) -> Procedure[Outcome]:
    """Remove the service, and with `repository` the images too. Asks for the name of each stack."""
    yield from _require_removable(clients)
    outcome = yield from remove.down(clients, config, "ecs")
    name = definition.stack_name(config, "ecr")
    if not outcome.good:
        return outcome
    if not repository:
        yield Notice(f"kept `{name}` with its images; --repository removes it")
        return outcome
    return (yield from remove.down(clients, config, "ecr"))


def _require_removable(clients: "Clients") -> Procedure[None]:
    """Raise OpsError for a load balancer with deletion protection.

    CloudFormation would only fail at it after it has removed the service.
    """
    state = yield from join.describe("ecs")
    if state is None or not state.exists:
        return
    for one in stacks.resources(clients.cloudformation, state.id):
        if one.resource_type != _LOAD_BALANCER or not one.physical_id:
            continue
        if targets.protected(clients.elbv2, one.physical_id):
            raise OpsError(
                f"the load balancer of `{state.name}` has deletion protection",
                hint="set `load_balancer.deletion_protection: false`, then run: opsctl ecs up",
            )


def _repository(clients: "Clients", config: Config, options: Options) -> Procedure[Stack]:
    stack = definition.ecr(config)
    if options.imports:
        stack = definition.ecr(config, (yield from change.existing(clients, stack)))
    return replace(stack, reverts_drift=options.reverts_drift)


def _service(clients: "Clients", config: Config, options: Options) -> Procedure[Stack]:
    """Return the desired stack, with what the live system has in addition to the config."""
    now = (yield from look_at(_LOOK)).require("stacks", "service")
    desired = yield from _desired(clients, config, options, now)
    yield from _require_image(config, now.stack("ecs"), desired.parameters["AmiId"] or "")
    yield from _differences(config, now, desired)
    if not options.reverts_drift:
        yield from _drift(now)
    return desired


def _require_image(config: Config, state: StackState | None, image: str) -> Procedure[None]:
    """Raise OpsError for a new machine image that instances cannot start from. Yields a notice when
    the present one was withdrawn: CloudFormation does not look.
    """
    architecture = config.compute.architecture
    wanted = Named("AmiId", MACHINE_IMAGE, image, architecture)
    now = yield from look_at(Look(frozenset({"taken"}), (), wanted=(wanted,)))
    if now.require("taken").taken:
        return
    newest = config.compute.image.startswith("ssm:")
    if state is None or state.value("AmiId") != image:
        raise OpsError(
            f"this account sees no machine image {image} for {architecture}",
            hint="correct `compute.ami` in opsctl.yaml; null takes AWS's newest",
        )
    way = "opsctl ecs up --new-ami" if newest else "name another one in `compute.ami`"
    yield Notice(
        f"the machine image {image} was withdrawn: no new instance can start from it; {way}",
        warning=True,
    )


def _wanted(clients: "Clients", config: Config, options: Options) -> Procedure[Stack]:
    now = (yield from look_at(_LOOK)).require("stacks", "service")
    return (yield from _desired(clients, config, options, now))


def _desired(
    clients: "Clients", config: Config, options: Options, now: Snapshot
) -> Procedure[Stack]:
    make = partial(definition.ecs, config, state=now.stack("ecs"), deregistered=now.deregistered)
    stack = make()
    if options.imports:
        stack = make((yield from change.existing(clients, stack)))
    stack = replace(stack, reverts_drift=options.reverts_drift)
    desired = definition.live(stack, config, now, new_image=options.new_image)
    if options.reverts_drift and not config.ecs.scaling:
        count = {"DesiredCount": str(config.ecs.desired_count)}
        desired = replace(desired, parameters={**desired.parameters, **count})
    return desired


def _drift(now: Snapshot) -> Iterator[Notice]:
    """Yield notices of changes made outside of opsctl that a stack update does not see."""
    history = History.of([now])
    for cause in rollouts.deregistered(history):
        yield Notice(f"{cause.sentence}; it is made anew, and the tasks are rolled", warning=True)
    # A new task definition also takes the place of any that somebody gave the service.
    foreign = () if now.deregistered else (rollouts.changed_by_hand,)
    in_front = (balancer.unbalanced, balancer.listener_gone, balancer.listener_moved)
    for rule in (*in_front, *foreign, rollouts.settings_changed, *groups.RULES):
        for cause in rule(history):
            yield Notice(f"{cause.sentence}; {cause.next}", warning=True)


def _bounds(config: Config, count: int) -> Procedure[None]:
    """Yield a notice of tasks that start or stop because the count is out of the scaling's bounds.

    Source: RegisterScalableTarget, which changes the count to one inside of them.
    """
    scaling = config.ecs.scaling
    if scaling is None or scaling.minimum <= count <= scaling.maximum:
        return
    bound = scaling.maximum if count > scaling.maximum else scaling.minimum
    more = counted(abs(count - bound), "task")
    yield Notice(
        f"`ecs.scaling` keeps from {scaling.minimum} to {scaling.maximum} tasks, and {count} are "
        f"set: {more} will {'stop' if count > bound else 'start'}"
    )


def _differences(config: Config, now: Snapshot, desired: Stack) -> Procedure[None]:
    """Yield notices of what the live system has and the config does not ask for, and what happens
    to it.
    """
    if now.service is not None:
        yield from _bounds(config, now.service.desired)
    count = desired.parameters["DesiredCount"]
    by_hand = count not in (str(config.ecs.desired_count), "-1")
    if now.service is not None and by_hand:
        way = (
            f"; to start them: opsctl ecs scale {config.ecs.desired_count}" if count == "0" else ""
        )
        yield Notice(
            f"{config.ecs.desired_count} tasks are configured; {count} were set by hand and stay"
            f"{way}",
            warning=count == "0",
        )
    state = now.stack("ecs")
    current = state.value("AmiId") if state else ""
    newest = now.newest_image
    if newest and current and newest != current and desired.parameters["AmiId"] == current:
        yield Notice(
            f"a newer image for the instances is out: {newest} (now {current}); "
            "to take it: opsctl ecs up --new-ami"
        )
