"""CloudFormation's capacity providers and their cluster associations.

ministack does not have these two resource types.
"""

from opsctl_sandbox.cloudformation.shapes import to_api
from opsctl_sandbox.ministack.resource_types import Handler, Made, Properties, handler
from opsctl_sandbox.operations.ecs import capacity_providers
from opsctl_sandbox.simulation import Simulation


class CapacityProviders:
    """Handlers of resource types, bound to one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def handlers(self) -> dict[str, Handler]:
        return {
            "AWS::ECS::CapacityProvider": handler(self.create, self.update, self.delete),
            "AWS::ECS::ClusterCapacityProviderAssociations": handler(
                self.associate, self.associate_anew, self.dissociate
            ),
        }

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        request = to_api("CreateCapacityProvider", properties)
        request.setdefault("name", f"{stack}-{logical_id}")
        capacity_providers.create_capacity_provider(self._simulation, request)
        return request["name"], {}

    def update(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        world = self._simulation.world()
        world.providers.pop(identifier, None)
        return self.create(logical_id, {**new, "Name": identifier}, stack)

    def delete(self, identifier: str, properties: Properties) -> None:
        if identifier in self._simulation.world().providers:
            request = {"capacityProvider": identifier}
            capacity_providers.delete_capacity_provider(self._simulation, request)

    def associate(self, logical_id: str, properties: Properties, stack: str) -> Made:
        request = to_api("PutClusterCapacityProviders", properties)
        capacity_providers.put_cluster_capacity_providers(self._simulation, request)
        return request["cluster"], {}

    def associate_anew(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        return self.associate(logical_id, new, stack)

    def dissociate(self, identifier: str, properties: Properties) -> None:
        nothing = {
            "cluster": identifier,
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": [],
        }
        if identifier in self._simulation.world().clusters:
            capacity_providers.put_cluster_capacity_providers(self._simulation, nothing)
