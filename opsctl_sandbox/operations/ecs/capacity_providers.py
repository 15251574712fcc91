"""ECS capacity providers and clusters' use of them, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster.values import CapacityProvider
from opsctl_sandbox.ministack import records
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import cluster_name, invalid, last, page
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def create_capacity_provider(simulation: Simulation, request: Structure) -> Answer:
    world, name = simulation.world(), request["name"]
    if name in world.providers:
        raise Refused(
            "ClientException", "The specified capacity provider already exists. Choose another name"
        )
    settings = request.get("autoScalingGroupProvider") or {}
    # CloudFormation's Ref is a name, the API takes an ARN; both end in the name.
    group = last(str(settings.get("autoScalingGroupArn", "")))
    if group not in world.groups:
        raise Refused("ClientException", f"The specified Auto Scaling group {group} does not exist")
    scaling = settings.get("managedScaling") or {}
    provider = simulation.engine.create_provider(
        name,
        group,
        managed=scaling.get("status") == "ENABLED",
        target=int(scaling.get("targetCapacity") or 100),
        draining=settings.get("managedDraining", "ENABLED") == "ENABLED",
        document=dict(request),
    )
    return {"capacityProvider": _described(provider)}


def _described(provider: CapacityProvider) -> Answer:
    settings = provider.document.get("autoScalingGroupProvider") or {}
    group = records.group(provider.group) or {}
    defaults = {
        "managedScaling": {"status": "DISABLED"},
        "managedTerminationProtection": "DISABLED",
        "managedDraining": "ENABLED",
    }
    return {
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "status": "ACTIVE",
        "autoScalingGroupProvider": {
            **defaults,
            **settings,
            "autoScalingGroupArn": group.get("AutoScalingGroupARN", provider.group),
        },
        "tags": provider.document.get("tags", []),
    }


def describe_capacity_providers(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    names = [last(name) for name in request.get("capacityProviders") or world.providers]
    if request.get("cluster"):
        associated = world.clusters[cluster_name(world, request)].get("capacityProviders") or ()
        names = [name for name in names if name in associated]
    described = [_described(world.providers[n]) for n in names if n in world.providers]
    if "TAGS" not in (request.get("include") or ()):
        described = [{k: v for k, v in one.items() if k != "tags"} for one in described]
    failures = [
        {"arn": world.arn("ecs", f"capacity-provider/{n}"), "reason": "MISSING"}
        for n in names
        if n not in world.providers
    ]
    return {**page(described, request, "capacityProviders"), "failures": failures}


def delete_capacity_provider(simulation: Simulation, request: Structure) -> Answer:
    world, name = simulation.world(), last(request["capacityProvider"])
    if name not in world.providers:
        raise invalid("The specified capacity provider was not found.")
    if any(name in (c.get("capacityProviders") or ()) for c in world.clusters.values()):
        raise _in_use()
    provider = simulation.engine.delete_provider(name)
    return {"capacityProvider": {**_described(provider), "status": "INACTIVE"}}


def _in_use() -> Refused:
    return Refused(
        "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
    )


def put_cluster_capacity_providers(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, request)
    providers = [last(one) for one in request["capacityProviders"]]
    strategy = [dict(one) for one in request["defaultCapacityProviderStrategy"]]
    unknown = [one for one in providers if one not in world.providers]
    unknown += [s["capacityProvider"] for s in strategy if s["capacityProvider"] not in providers]
    if unknown:
        raise invalid(f"The specified capacity provider '{unknown[0]}' was not found.")
    before = world.clusters[name].get("capacityProviders") or ()
    used = {
        last(one["capacityProvider"])
        for (cluster, _), service in world.services.items()
        if cluster == name and service.status == "ACTIVE"
        for one in service.spec.document.get("capacityProviderStrategy") or ()
    }
    if used.intersection(set(before) - set(providers)):
        raise _in_use()
    world.clusters[name] = {
        **world.clusters[name],
        "capacityProviders": providers,
        "defaultCapacityProviderStrategy": strategy,
    }
    return {"cluster": answers.cluster(simulation, name)}


ANSWERS = {
    "CreateCapacityProvider": create_capacity_provider,
    "DescribeCapacityProviders": describe_capacity_providers,
    "DeleteCapacityProvider": delete_capacity_provider,
    "PutClusterCapacityProviders": put_cluster_capacity_providers,
}
