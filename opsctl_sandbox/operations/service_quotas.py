"""Service Quotas: those that `doctor` reads, with AWS's defaults.

Source: "Amazon EC2 service quotas" and its siblings in the AWS General Reference. Few accounts
still have the default of vCPUs, so it was raised here, as for somebody who asked for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure


@dataclass(frozen=True)
class Quota:
    service: str
    code: str
    name: str
    default: float
    applied: float | None = None


_QUOTAS = (
    Quota(
        "ec2",
        "L-1216C47A",
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        5,
        applied=256,
    ),
    Quota("elasticloadbalancing", "L-69A177A2", "Network Load Balancers per Region", 50),
    Quota("vpc", "L-E79EC296", "VPC security groups per Region", 2500),
    Quota("elasticache", "L-DFE45DF3", "Nodes per Region", 300),
)


def _described(quota: Quota, call: Call, value: float) -> dict[str, Any]:
    arn = f"arn:aws:servicequotas:{call.region}:{call.account}:{quota.service}/{quota.code}"
    return {
        "ServiceCode": quota.service,
        "ServiceName": quota.service,
        "QuotaArn": arn,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _chosen(request: Structure) -> Iterable[Quota]:
    code = request.get("QuotaCode")
    chosen = [
        quota
        for quota in _QUOTAS
        if quota.service == request["ServiceCode"] and code in (None, quota.code)
    ]
    if not chosen:
        raise Refused(
            "NoSuchResourceException",
            "The request failed because the specified service or quota does not exist.",
        )
    return chosen


async def get(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    [quota] = _chosen(call.parameters)
    return {"Quota": _described(quota, call, quota.applied or quota.default)}


async def get_default(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    [quota] = _chosen(call.parameters)
    return {"Quota": _described(quota, call, quota.default)}


async def list_all(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    chosen = _chosen(call.parameters)
    return {"Quotas": [_described(one, call, one.applied or one.default) for one in chosen]}


async def list_defaults(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    return {"Quotas": [_described(one, call, one.default) for one in _chosen(call.parameters)]}


OPERATIONS = {
    "GetServiceQuota": get,
    "GetAWSDefaultServiceQuota": get_default,
    "ListServiceQuotas": list_all,
    "ListAWSDefaultServiceQuotas": list_defaults,
}
