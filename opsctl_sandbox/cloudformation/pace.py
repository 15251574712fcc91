"""The time that a resource takes in a stack operation, and its planned failures.

ministack provisions in an instant. Here each resource waits as long as on AWS, for the same
conditions, and fails where the scenario says so.
"""

from collections.abc import Callable, Mapping
from typing import Any

from opsctl_sandbox.cloudformation import rights
from opsctl_sandbox.cloudformation.rights import Verb
from opsctl_sandbox.cluster import stacks
from opsctl_sandbox.cluster.failures import Kind
from opsctl_sandbox.cluster.stacks import Done, Signals
from opsctl_sandbox.cluster.values import Deployment, Service
from opsctl_sandbox.ministack.stacks import Resource
from opsctl_sandbox.simulation import Simulation

_LOOK = 2.0
_GROUP, _SERVICE = "AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::Service"
_GENERIC = (
    'Resource handler returned message: "Invalid request provided" (HandlerErrorCode: {code})'
)


class ResourceFailed(Exception):
    """Raised with the resource's *_FAILED reason."""


class Pace:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def begin(self, resource: Resource, verb: Verb) -> None:
        """Wait until the resource exists. Raises when the scenario fails it, or when its caller
        may not have it done."""
        self._require_right(resource, verb)
        world = self._simulation.world()
        await self._simulation.sleep(stacks.duration(world, resource.type))
        self._strike("resource-fails", resource, "InvalidRequest")

    async def take(self, resource: Resource) -> None:
        """Wait until a resource that exists is taken over. Raises when the scenario fails it."""
        await self._half(resource.type)
        self._strike("resource-fails", resource, "InvalidRequest")

    async def release(self, resource: Resource) -> None:
        """Wait until a failed import lets go of a resource. Raises when the scenario fails it."""
        await self._half(resource.type)
        self._strike("update-rollback-fails", resource, "NotStabilized")

    async def begin_deletion(self) -> None:
        """The time before a stack's deletion comes to its first resource."""
        world = self._simulation.world()
        await self._simulation.sleep(stacks.duration(world, "AWS::CloudFormation::Stack"))

    def _require_right(self, resource: Resource, verb: Verb) -> None:
        if refusal := rights.missing(resource, verb):
            raise ResourceFailed(refusal)

    def _strike(self, kind: Kind, resource: Resource, code: str) -> None:
        world = self._simulation.world()
        named = f"{resource.logical_id} {resource.type}"
        failure = world.failures.take((kind,), named, world.now)
        if failure:
            raise ResourceFailed(failure.reason or _GENERIC.format(code=code))

    async def settle(
        self,
        resource_type: str,
        physical_id: str,
        definition: Mapping[str, Any],
        *,
        created: bool,
    ) -> None:
        """Wait for what CloudFormation waits for: a steady service, a group's instances and
        signals.

        Raises `ResourceFailed`.
        """
        world = self._simulation.world()
        since = world.now
        if resource_type == _SERVICE:
            _, cluster, name = physical_id.rsplit("/", 2)
            await self._service(world.services[cluster, name], since)
        elif resource_type == _GROUP and physical_id in world.groups and created:
            expected = stacks.signals(definition.get("CreationPolicy"))
            await self._group(physical_id, expected, since)
        elif resource_type == _GROUP and "AutoScalingRollingUpdate" in (
            definition.get("UpdatePolicy") or {}
        ):
            raise ResourceFailed("the sandbox has no AutoScalingRollingUpdate")

    async def _until(self, look: Callable[[], Done | None]) -> None:
        while (done := look()) is None:
            await self._simulation.sleep(_LOOK)
        if done.reason:
            raise ResourceFailed(done.reason)

    async def _service(self, service: Service, since: float) -> None:
        begun: Deployment = service.primary
        # Wait until the scheduler has run at least once.
        await self._simulation.sleep(self._simulation.engine.world.timings.schedule)
        await self._until(
            lambda: stacks.service_done(self._simulation.world(), service, begun, since)
        )

    async def _group(self, name: str, expected: Signals | None, since: float) -> None:
        def look() -> Done | None:
            world = self._simulation.world()
            group = world.groups.get(name)
            return stacks.group_done(world, group, expected, since) if group else Done()

        await self._until(look)

    async def remove(self, resource: Resource, act: Callable[[], Any]) -> Any:
        """Delete in AWS's time. Raises `ResourceFailed` when the scenario fails it."""
        self._require_right(resource, "delete")
        await self._half(resource.type)
        self._strike("delete-fails", resource, "GeneralServiceException")
        outcome = act()
        await self._until(lambda: self._gone(resource.type, resource.physical_id))
        return outcome

    async def revert(self, resource: Resource, act: Callable[[], Any]) -> Any:
        """Return a resource to its former properties during a rollback, in AWS's time."""
        self._require_right(resource, "update")
        await self._half(resource.type)
        self._strike("update-rollback-fails", resource, "NotStabilized")
        outcome = act()
        await self.settle(resource.type, resource.physical_id, {}, created=False)
        return outcome

    async def _half(self, resource_type: str) -> None:
        duration = stacks.duration(self._simulation.world(), resource_type)
        await self._simulation.sleep(duration / 2)

    def _gone(self, resource_type: str, physical_id: str) -> Done | None:
        world = self._simulation.world()
        if resource_type == _GROUP:
            return None if physical_id in world.groups else Done()
        if resource_type == _SERVICE:
            _, cluster, name = physical_id.rsplit("/", 2)
            service = world.services.get((cluster, name))
            return None if service and service.status == "DRAINING" else Done()
        return Done()
