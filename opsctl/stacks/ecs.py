"""The repository and the service together: `ecs` changes the one before the other."""

from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.outcome import Outcome
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.snapshot.snapshot import Look
from opsctl.stacks import change, definition, remove
from opsctl.stacks.definition import Stack

if TYPE_CHECKING:
    from opsctl.aws import Clients

_LOOK = Look(frozenset({"stacks"}), ("db", "ecr", "ecs"))


def preview(clients: "Clients", config: Config) -> Procedure[bool]:
    """Yield both plans; True when one of them changes something."""
    bucket = config.aws.bucket
    repository = yield from change.preview(clients, definition.ecr(config), bucket=bucket)
    service = yield from _service(config)
    return (yield from change.preview(clients, service, bucket=bucket)) or repository


def up(clients: "Clients", config: Config) -> Procedure[Outcome]:
    """Raises OpsError without the db stack: the service stack imports the cache's group."""
    bucket = config.aws.bucket
    now = yield from look_at(_LOOK)
    if now.require("stacks").stack("db") is None:
        raise OpsError(f"there is no stack `{config.system}-db`", hint="opsctl db up")
    outcome = yield from change.up(clients, definition.ecr(config), bucket=bucket)
    if not outcome.good:
        return outcome
    service = yield from _service(config)
    outcome = yield from change.up(clients, service, bucket=bucket)
    if outcome.good and service.parameters["DesiredCount"] == "0":
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


def _service(config: Config) -> Procedure[Stack]:
    now = yield from look_at(_LOOK)
    return definition.released(definition.ecs(config), now.require("stacks"))
