"""Check the system: its stacks, the names they need, secrets, image and certificate. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from opsctl.cause import rank
from opsctl.cause.calls import OF_THE_WAY
from opsctl.cause.history import History
from opsctl.config.model import Config
from opsctl.doctor.finding import Finding, Level
from opsctl.rollout import startable
from opsctl.secrets import uses
from opsctl.snapshot.preflight import Preflight
from opsctl.snapshot.snapshot import KINDS, Kind, Snapshot
from opsctl.snapshot.taken import MACHINE_IMAGE, Named
from opsctl.stacks import definition, names, states
from opsctl.stacks.definition import Stack

_EXPIRES_SOON = timedelta(days=30)


def stacks(now: Snapshot) -> Iterator[Finding]:
    for kind in KINDS:
        state = now.stack(kind)
        command = f"opsctl {'ecs' if kind == 'ecr' else kind} up"
        if state is None:
            continue
        text = states.in_words(state)
        if state.stranger:
            fix = "choose another `name` in opsctl.yaml; if somebody removed its tags: opsctl why"
            yield Finding("stacks", "blocking", state.stranger, fix)
        elif state.in_progress:
            yield Finding("stacks", "warning", f"`{state.name}` is being changed", command)
        elif state.status in states.MEANING and state.status not in states.TAKES_CHANGES:
            yield Finding("stacks", "warning", text, command)
        else:
            yield Finding("stacks", "ok", text)


def wanted(config: Config, now: Snapshot) -> tuple[Named, ...]:
    """Return the names that the missing stacks will use."""
    missing = (stack for kind, stack in _stacks(config).items() if now.stack(kind) is None)
    return tuple(one for stack in missing for one in names.of_template(stack.template))


def taken(exist: Iterable[Named]) -> Iterator[Finding]:
    """Yield findings for wanted names that exist already, or may exist."""
    doubtful = []
    for one in exist:
        if not one.certain:
            doubtful.append(one.name)
            continue
        text = f"there is already a {one.type.removeprefix('AWS::')} `{one.name}`"
        fix = f"set `{names.key(one)}` to another name, or remove it"
        if one.type in names.IMPORTABLE:
            fix = "opsctl ecs up --import"
        yield Finding("names", "blocking", text, fix)
    if doubtful:
        text = f"whether these names are free cannot be known: {', '.join(doubtful)}"
        yield Finding("names", "unknown", text)


def secrets(config: Config, now: Snapshot) -> Iterator[Finding]:
    by_reference = {one.reference: one for one in now.secrets}
    for one in uses.findings(config, by_reference):
        what = f"{one.use.path} ({one.use.reference})"
        if not one.problem:
            yield Finding("secrets", "ok", what)
        else:
            level: Level = "unknown" if one.doubt else "blocking"
            yield Finding("secrets", level, f"{what} {one.problem}", one.hint)


def causes(now: Snapshot) -> Iterator[Finding]:
    """Yield what is wrong with the live system, as `why` says it."""
    for one in rank.rank(History.of([now])):
        # The other findings tell of stacks, of secrets, and of what could not be read.
        if one.over or one.id in OF_THE_WAY | {"not-ours", "stack-stuck", "secret-missing"}:
            continue
        blocks = one.hinders and one.id in startable.KEEPS
        yield Finding("system", "blocking" if blocks else "warning", one.sentence, one.next)


def machine_image(config: Config, now: Snapshot) -> Named | None:
    """Return the image from which the next instance would start."""
    image = definition.machine_image(config, now)
    return Named("AmiId", MACHINE_IMAGE, image, config.compute.architecture) if image else None


def image(config: Config, now: Snapshot, exist: Iterable[Named]) -> Iterator[Finding]:
    """Yield a warning when AWS has a newer machine image than the stack uses."""
    state = now.stack("ecs")
    current = state.value("AmiId") if state else ""
    wanted = machine_image(config, now)
    if wanted is not None and wanted.name not in {one.name for one in exist}:
        yield Finding(
            "instances",
            "blocking",
            f"this account sees no machine image {wanted.name} for {wanted.within}: no new "
            "instance can start",
            "opsctl ecs up --new-ami"
            if current == wanted.name and config.compute.image.startswith("ssm:")
            else "correct `compute.ami`",
        )
    elif current and now.newest_image and current != now.newest_image:
        yield Finding(
            "instances",
            "warning",
            f"the instances start from {current}, and AWS has a newer image, {now.newest_image}",
            "opsctl ecs up --new-ami",
        )
    elif current:
        yield Finding("instances", "ok", f"the instances start from {current}")


def certificate(config: Config, facts: Preflight, at: datetime) -> Iterator[Finding]:
    arn = config.load_balancer.certificate
    if arn is None:
        return
    if reason := facts.unread.get("certificate"):
        yield Finding("certificate", "unknown", f"the certificate is not known ({reason})")
        return
    one = facts.certificate
    if one is None or not one.status:
        text = f"there is no certificate {arn} (`load_balancer.certificate`)"
        yield Finding("certificate", "blocking", text, "request one in ACM, in this Region")
    elif one.status != "ISSUED":
        yield Finding(
            "certificate",
            "blocking",
            f"the certificate of {one.domain} is {one.status}",
            "finish its validation in ACM, or name another in `load_balancer.certificate`",
        )
    elif one.expires and one.expires - at < _EXPIRES_SOON:
        yield Finding(
            "certificate",
            "warning",
            f"the certificate of {one.domain} ends on {one.expires:%Y-%m-%d}",
            "renew it in ACM",
        )
    else:
        yield Finding("certificate", "ok", f"the certificate of {one.domain} is issued")


def _stacks(config: Config) -> dict[Kind, Stack]:
    return {
        "db": definition.db(config),
        "ecr": definition.ecr(config),
        "ecs": definition.ecs(config),
        "alarms": definition.alarms(config),
    }
