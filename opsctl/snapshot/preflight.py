"""Read facts about an account that matter before a change and are not part of a snapshot."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opsctl import aws
from opsctl.snapshot import certificates, identity, network, quotas, rights
from opsctl.snapshot.certificates import Certificate
from opsctl.snapshot.identity import Identity
from opsctl.snapshot.network import Network
from opsctl.snapshot.quotas import Quota
from opsctl.snapshot.rights import Attempt, Refusal
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from opsctl.aws import Clients

Fact: TypeAlias = Literal["identity", "network", "quotas", "certificate", "offers", "refused"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read: names from the config, and the actions that the caller should be allowed."""

    vpc: str
    instance_type: str
    certificate: str = ""
    attempts: Callable[[Identity], Iterable[Attempt]] = lambda caller: ()


@dataclass(frozen=True, slots=True)
class Preflight:
    """The facts. One that could not be read is in `unread`, with AWS's reason.

    `offers` are the zones that offer the instance type; `refused` the actions that IAM would
    refuse.
    """

    identity: Identity | None = None
    network: Network | None = None
    quotas: tuple[Quota, ...] = ()
    certificate: Certificate | None = None
    offers: frozenset[str] = frozenset()
    refused: frozenset[Refusal] = frozenset()
    unread: Mapping[Fact, str] = field(default_factory=dict)


def read(clients: "Clients", scope: Scope) -> Preflight:
    """Read all facts side by side. Raises botocore's error when AWS refuses every call of this
    caller.
    """
    caller = identity.read(clients)
    reads: dict[Fact, Callable[[], Any]] = {
        "network": lambda: network.read(clients.ec2, scope.vpc),
        "quotas": lambda: quotas.read(clients),
        "offers": lambda: _offers(clients, scope.instance_type),
    }
    if scope.certificate:
        reads["certificate"] = lambda: certificates.read(clients.acm, scope.certificate)
    if not caller.is_root:
        attempts = tuple(scope.attempts(caller))
        reads["refused"] = lambda: rights.refused(
            clients.iam, rights.principal(clients.iam, caller), attempts
        )
    values: dict[str, Any] = {"identity": caller}
    unread: dict[Fact, str] = {}
    answers = together([partial(_guarded, read) for read in reads.values()])
    for name, (value, reason) in zip(reads, answers, strict=True):
        if reason:
            unread[name] = reason
        else:
            values[name] = value
    return Preflight(**values, unread=unread)


def _guarded(read: Callable[[], Any]) -> tuple[Any, str]:
    """Return (value, '') or (None, why AWS does not give it)."""
    try:
        return read(), ""
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None:
            raise
        return None, refusal.message


def _offers(clients: "Clients", instance_type: str) -> frozenset[str]:
    pages = clients.ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [instance_type]}],
    )
    return frozenset(
        offer.get("Location", "") for page in pages for offer in page["InstanceTypeOfferings"]
    )
