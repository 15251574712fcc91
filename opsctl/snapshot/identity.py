"""Whom AWS takes this caller for, and where."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class Identity:
    """`arn` is the caller's."""

    account: str
    arn: str
    region: str


def read(clients: "Clients") -> Identity:
    described = clients.sts.get_caller_identity()
    return Identity(described["Account"], described["Arn"], clients.region)
