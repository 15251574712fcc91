"""The system's own repository, which its `ecr` stack holds: the only one it rolls from and cleans.

CloudFormation lets no two stacks have one repository. So no system runs images that the clean-up
of another one, which cannot know the first one's ledger, may take away.
"""

from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.images import registry
from opsctl.images.registry import Repository
from opsctl.snapshot.snapshot import Look, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients

# What it takes to know whose it is.
LOOK = Look(frozenset({"stacks"}), ("ecr",))


def own(clients: "Clients", config: Config, now: Snapshot) -> Repository:
    """Raises OpsError when the stack holds another one than the config names."""
    name, held = config.image.repository, _held(now)
    if held and held != name:
        raise OpsError(
            f"`image.repository` is `{name}`, and `{config.system}-ecr` holds `{held}`: "
            "the tasks may pull from that one alone",
            hint=f"set image.repository to {held} in opsctl.yaml, or run: opsctl ecs up",
        )
    return registry.repository(clients.ecr, name)


def held(now: Snapshot, name: str) -> bool:
    """Whether the system's own stack is known to hold this repository."""
    return name == _held(now)


def _held(now: Snapshot) -> str:
    return now.output("ecr", "RepositoryName")
