"""The repository and the service together: `ecs` changes the one before the other."""

from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.stacks import change, definition, remove
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOK = Look(frozenset({"stacks", "service", "newest_image"}), ("db", "ecr", "ecs"))


def preview(clients: "Clients", config: Config, *, new_image: bool = False) -> Procedure[bool]:
    """Yield both plans; True when one of them changes something."""
    bucket = config.aws.bucket
    repository = yield from change.preview(clients, definition.ecr(config), bucket=bucket)
    service = yield from _service(config, new_image=new_image)
    return (yield from change.preview(clients, service, bucket=bucket)) or repository


def up(clients: "Clients", config: Config, *, new_image: bool = False) -> Procedure[Outcome]:
    """`new_image` takes the newest image for the instances.

    Raises OpsError without the db stack: the service stack imports the cache's group."""
    bucket = config.aws.bucket
    now = yield from look_at(_LOOK)
    if now.require("stacks").stack("db") is None:
        raise OpsError(f"there is no stack `{config.system}-db`", hint="opsctl db up")
    outcome = yield from change.up(clients, definition.ecr(config), bucket=bucket)
    if not outcome.good:
        return outcome
    service = yield from _service(config, new_image=new_image)
    outcome = yield from change.up(clients, service, bucket=bucket)
    if outcome.good and service.parameters["Image"] == definition.UNRELEASED:
        yield Notice("no release yet, so no task runs; next: opsctl update-tasks")
    return outcome


def down(clients: "Clients", config: Config, *, repository: bool) -> Procedure[Outcome]:
    """Remove the service, and with `repository` the images too: each is asked for by its name."""
    outcome = yield from remove.down(clients, "ecs", definition.stack_name(config, "ecs"))
    name = definition.stack_name(config, "ecr")
    if not outcome.good:
        return outcome
    if not repository:
        yield Notice(f"kept `{name}` with its images; --repository removes it")
        return outcome
    return (yield from remove.down(clients, "ecr", name))


def _service(config: Config, *, new_image: bool) -> Procedure[Stack]:
    now = (yield from look_at(_LOOK)).require("stacks", "service")
    desired = definition.live(definition.ecs(config), config, now, new_image=new_image)
    yield from _differences(config, now, desired)
    return desired


def _differences(config: Config, now: Snapshot, desired: Stack) -> Procedure[None]:
    """What the live system has that the config did not ask for, and what becomes of it."""
    count = desired.parameters["DesiredCount"]
    if now.service is not None and count != str(config.ecs.desired_count):
        yield Notice(
            f"{config.ecs.desired_count} tasks are configured; {count} were set by hand and stay"
        )
    state = now.stack("ecs")
    current = state.value("AmiId") if state else ""
    newest = now.newest_image
    if newest and current and newest != current and desired.parameters["AmiId"] == current:
        yield Notice(
            f"a newer image for the instances is out: {newest} (now {current}); "
            "to take it: opsctl ecs up --new-ami"
        )
