"""The stack resources that live in the simulation.

These are ECS clusters, task definitions and services, and Auto Scaling groups.
"""

from dataclasses import replace

from opsctl_sandbox.cloudformation.shapes import only_tags_differ, to_api
from opsctl_sandbox.ministack import stacks
from opsctl_sandbox.ministack.resource_types import (
    Handler,
    Made,
    Properties,
    ResourceTypes,
    handler,
)
from opsctl_sandbox.operations import autoscaling
from opsctl_sandbox.operations.ecs import clusters, services, tags, task_definitions
from opsctl_sandbox.simulation import Simulation

_GROUP = "AWS::AutoScaling::AutoScalingGroup"


class Resources:
    """Handlers of resource types, bound to one simulation."""

    def __init__(self, simulation: Simulation, types: ResourceTypes) -> None:
        self._simulation = simulation
        self._plain = types.plain(_GROUP)

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by resource type."""
        return {
            "AWS::ECS::Cluster": handler(
                self.create_cluster, self.update_cluster, self.delete_cluster
            ),
            "AWS::ECS::TaskDefinition": handler(
                self.create_definition, self.update_definition, self.delete_definition
            ),
            "AWS::ECS::Service": handler(
                self.create_service, self.update_service, self.delete_service
            ),
            _GROUP: handler(self.create_group, self.update_group, self.delete_group),
        }

    def create_cluster(self, logical_id: str, properties: Properties, stack: str) -> Made:
        request = to_api("CreateCluster", properties)
        request.setdefault("clusterName", f"{stack}-{logical_id}")
        cluster = clusters.create_cluster(self._simulation, request)["cluster"]
        return cluster["clusterName"], {"Arn": cluster["clusterArn"]}

    def update_cluster(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        name = new.get("ClusterName", identifier)
        return self.create_cluster(logical_id, {**new, "ClusterName": name}, stack)

    def delete_cluster(self, identifier: str, properties: Properties) -> None:
        if identifier in self._simulation.world().clusters:
            clusters.delete_cluster(self._simulation, {"cluster": identifier})

    def create_definition(self, logical_id: str, properties: Properties, stack: str) -> Made:
        request = to_api("RegisterTaskDefinition", properties)
        request.setdefault("family", f"{stack}-{logical_id}")
        definition = task_definitions.register_task_definition(self._simulation, request)[
            "taskDefinition"
        ]
        return definition["taskDefinitionArn"], {
            "TaskDefinitionArn": definition["taskDefinitionArn"]
        }

    def update_definition(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        if only_tags_differ(old, new):
            tags.retag(self._simulation.world(), identifier, _ecs_tags(new))
            return identifier, {"TaskDefinitionArn": identifier}
        return self.create_definition(logical_id, new, stack)

    def delete_definition(self, identifier: str, properties: Properties) -> None:
        task_definitions.deregister_task_definition(
            self._simulation, {"taskDefinition": identifier}
        )

    def create_service(self, logical_id: str, properties: Properties, stack: str) -> Made:
        request = to_api("CreateService", properties)
        request.setdefault("serviceName", f"{stack}-{logical_id}")
        service = services.create_service(self._simulation, request)["service"]
        return service["serviceArn"], {
            "ServiceArn": service["serviceArn"],
            "Name": service["serviceName"],
        }

    def update_service(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        request = to_api("UpdateService", new)
        forced = new.get("ForceNewDeployment") or {}
        # A changed nonce is what makes an update force a deployment.
        request["forceNewDeployment"] = forced != old.get("ForceNewDeployment") and (
            str(forced.get("EnableForceNewDeployment")).lower() == "true"
        )
        _, cluster, name = identifier.rsplit("/", 2)
        service = services.update_service(
            self._simulation, {**request, "cluster": cluster, "service": name}
        )["service"]
        return identifier, {"ServiceArn": identifier, "Name": service["serviceName"]}

    def delete_service(self, identifier: str, properties: Properties) -> None:
        _, cluster, name = identifier.rsplit("/", 2)
        service = self._simulation.world().services.get((cluster, name))
        if service and service.status == "ACTIVE":
            request = {"cluster": cluster, "service": name, "force": True}
            services.delete_service(self._simulation, request)

    def create_group(self, logical_id: str, properties: Properties, stack: str) -> Made:
        name, attributes = self._plain["create"](logical_id, properties, stack)
        self._simulation.world()
        specification = autoscaling.specification(name, stacks.region())
        self._simulation.engine.create_group(specification).metrics = _metrics(properties)
        return name, attributes

    def update_group(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        name, attributes = self._plain["update"](identifier, old, new, stack, logical_id)
        specification = autoscaling.specification(name, stacks.region())
        group = self._simulation.world().groups.get(name)
        if group is None:
            self._simulation.engine.create_group(specification)
        else:
            if old.get("DesiredCapacity") == new.get("DesiredCapacity"):
                # An unchanged property is not sent, so the size that scaling set stays.
                specification = replace(specification, desired=group.desired)
            self._simulation.engine.update_group(specification)
        self._simulation.world().groups[name].metrics = _metrics(new)
        return name, attributes

    def delete_group(self, identifier: str, properties: Properties) -> None:
        if identifier in self._simulation.world().groups:
            self._simulation.engine.delete_group(identifier)
        self._plain["delete"](identifier, properties)


def _ecs_tags(properties: Properties) -> list[dict[str, str]]:
    tagged: list[dict[str, str]] = to_api("RegisterTaskDefinition", properties).get("tags", [])
    return tagged


def _metrics(properties: Properties) -> frozenset[str]:
    """Return the group metrics that a template names; all of them when it names none."""
    collections = properties.get("MetricsCollection") or ()
    return frozenset().union(
        *(one.get("Metrics") or autoscaling.GROUP_METRICS for one in collections)
    )
