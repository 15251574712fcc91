"""Read quotas of the account in this Region and how much of each is used."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opsctl.config import instances
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from opsctl.aws import Clients

QuotaName: TypeAlias = Literal["vCPUs", "network load balancers", "security groups", "cache nodes"]
# name -> (service, quota code) in Service Quotas
CODES: dict[QuotaName, tuple[str, str]] = {
    "vCPUs": ("ec2", "L-1216C47A"),  # vCPUs of running on-demand standard instances
    "network load balancers": ("elasticloadbalancing", "L-69A177A2"),
    "security groups": ("vpc", "L-E79EC296"),
    "cache nodes": ("elasticache", "L-DFE45DF3"),
}
# The instance families that the first quota counts: A, C, D, H, I, M, R, T, Z.
_STANDARD = "acdhimrtz"


@dataclass(frozen=True, slots=True)
class Quota:
    name: QuotaName
    limit: int
    used: int

    @property
    def free(self) -> int:
        return max(self.limit - self.used, 0)


def read(clients: "Clients") -> tuple[Quota, ...]:
    calls: list[Callable[[], Any]] = [partial(_limit, clients, *CODES[name]) for name in CODES]
    calls += [partial(_USED[name], clients) for name in CODES]
    answers = together(calls)
    half = len(CODES)
    pairs = zip(answers[:half], answers[half:], strict=True)
    return tuple(Quota(name, *pair) for name, pair in zip(CODES, pairs, strict=True))


def _limit(clients: "Clients", service: str, code: str) -> int:
    quotas = clients.service_quotas
    try:
        quota = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
    except quotas.exceptions.NoSuchResourceException:
        # Nobody has changed this quota for the account, so the default holds.
        quota = quotas.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
    return int(quota["Value"])


def _vcpus(clients: "Clients") -> int:
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    pages: Any = clients.ec2.get_paginator("describe_instances").paginate(Filters=states)  # type: ignore[arg-type]  # plain dicts
    kinds = [
        instance["InstanceType"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation.get("Instances", ())
        if instance.get("InstanceLifecycle") != "spot"
    ]
    return sum(map(vcpus, kinds))


def vcpus(kind: str) -> int:
    """Return the vCPUs of one instance of this type that count; 0 for types that opsctl does not
    know.
    """
    known = instances.find(kind)
    return known.cpu // 1024 if known and kind[:1] in _STANDARD else 0


def _load_balancers(clients: "Clients") -> int:
    pages = clients.elbv2.get_paginator("describe_load_balancers").paginate()
    return sum(one.get("Type") == "network" for page in pages for one in page["LoadBalancers"])


def _security_groups(clients: "Clients") -> int:
    pages = clients.ec2.get_paginator("describe_security_groups").paginate()
    return sum(len(page["SecurityGroups"]) for page in pages)


def _cache_nodes(clients: "Clients") -> int:
    pages = clients.elasticache.get_paginator("describe_cache_clusters").paginate()
    return sum(one.get("NumCacheNodes", 1) for page in pages for one in page["CacheClusters"])


_USED: dict[QuotaName, Callable[["Clients"], int]] = {
    "vCPUs": _vcpus,
    "network load balancers": _load_balancers,
    "security groups": _security_groups,
    "cache nodes": _cache_nodes,
}
