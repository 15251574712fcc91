"""The system's own repository, in its `ecr` stack: the only one it rolls from and cleans.

CloudFormation lets no two stacks own one repository. So no system runs images that another system's
clean-up, which does not know the first one's ledger, may remove.
"""

from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.images import registry
from opsctl.images.registry import Repository
from opsctl.snapshot.snapshot import Look, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients

# What is needed to know which repository is ours.
LOOK = Look(frozenset({"stacks"}), ("ecr",))


def own(clients: "Clients", config: Config, now: Snapshot) -> Repository:
    """Return our repository.

    Raises OpsError when the stack holds another one than the config names.
    """
    name, held = config.image.repository, _held(now)
    if held and held != name:
        raise OpsError(
            f"`image.repository` is `{name}`, and `{config.system}-ecr` holds `{held}`: "
            "the tasks may pull from that one alone",
            hint=f"set image.repository to {held} in opsctl.yaml, or run: opsctl ecs up",
        )
    hint = "opsctl ecs up --revert-drift" if held else "opsctl ecs up"
    return registry.repository(clients.ecr, name, hint=hint)


def held(now: Snapshot, name: str) -> bool:
    """Return whether the system's own stack holds this repository."""
    return name == _held(now)


def _held(now: Snapshot) -> str:
    return now.output("ecr", "RepositoryName")
