"""Capacity providers: managed scaling changes the desired capacity of the provider's Auto Scaling
group to the instances that its services need.
"""

from opsctl_sandbox.cluster import instance_types, instances, placement
from opsctl_sandbox.cluster.values import CapacityProvider, Group, Instance, Service
from opsctl_sandbox.cluster.world import World


def tick(world: World, provider: CapacityProvider) -> None:
    """Check the reservation once, and schedule the next check a minute later."""
    if world.providers.get(provider.name) is not provider:
        return
    group = world.groups.get(provider.group)
    if group and provider.managed and not group.deleting:
        _scale(world, provider, group)
    world.after(world.timings.manage_capacity, tick, world, provider)


def of_service(world: World, service: Service) -> CapacityProvider | None:
    """Return the service's provider, else its cluster's default; None with a launch type."""
    document = service.spec.document
    strategy = document.get("capacityProviderStrategy")
    if not strategy and not document.get("launchType"):
        cluster = world.clusters.get(service.spec.cluster, {})
        strategy = cluster.get("defaultCapacityProviderStrategy")
    return world.providers.get(str(strategy[0]["capacityProvider"])) if strategy else None


def needed(world: World, provider: CapacityProvider, group: Group) -> int:
    """Return the number of instances with tasks, and of those that unplaced tasks would fill."""
    busy = [i for i in instances.of_group(world, group.spec.name) if _busy(world, i)]
    coming = [i for i in instances.of_group(world, group.spec.name) if not i.joined]
    more = 0
    for service in world.services.values():
        if service.short and of_service(world, service) is provider:
            definition = world.definitions[service.primary.task_definition]
            cpu, memory = instance_types.size(group.spec.instance_type)
            per_instance = min(cpu // max(1, definition.cpu), memory // max(1, definition.memory))
            more += -(-service.short // per_instance) if per_instance else 0
    return len(busy) + max(more, len(coming) if more else 0)


def _busy(world: World, instance: Instance) -> bool:
    return bool(placement.occupants(world, instance.id))


def _scale(world: World, provider: CapacityProvider, group: Group) -> None:
    """Scale out at once; scale in after a quarter of an hour, and only empty instances."""
    desired = -(-needed(world, provider, group) * 100 // provider.target)
    desired = min(max(desired, group.spec.minimum), group.spec.maximum)
    if desired > group.desired:
        group.desired = desired
        instances.balance(world, group)
    if desired >= group.desired:
        provider.idle_since = None
        return
    provider.idle_since = world.now if provider.idle_since is None else provider.idle_since
    if world.now - provider.idle_since < world.timings.scale_in:
        return
    for instance in instances.of_group(world, group.spec.name):
        if group.desired > desired and instance.joined and not _busy(world, instance):
            group.desired -= 1
            instances.leave(world, instance, "a user request, scaling in its capacity provider")
