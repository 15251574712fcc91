"""CloudFormation's scalable targets of ECS services and their policies.

ministack does not have these two resource types.
"""

from opsctl_sandbox.cluster import scaling
from opsctl_sandbox.cluster.scaling import PREDEFINED
from opsctl_sandbox.cluster.values import ScalableTarget, TrackingPolicy
from opsctl_sandbox.ministack.resource_types import Handler, Made, Properties, handler
from opsctl_sandbox.simulation import Simulation

_ECS = "ecs:service:DesiredCount|ecs"


class Scaling:
    """Handlers of resource types, bound to one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def handlers(self) -> dict[str, Handler]:
        return {
            "AWS::ApplicationAutoScaling::ScalableTarget": handler(
                self.register, self.register_anew, self.deregister
            ),
            "AWS::ApplicationAutoScaling::ScalingPolicy": handler(
                self.put_policy, self.put_policy_anew, self.delete_policy
            ),
        }

    def register(self, logical_id: str, properties: Properties, stack: str) -> Made:
        resource = str(properties["ResourceId"])
        world = self._simulation.world()
        _, cluster, service = resource.split("/")
        if (cluster, service) not in world.services:
            raise ValueError(f"ECS service doesn't exist: {resource}")
        least, most = int(properties["MinCapacity"]), int(properties["MaxCapacity"])
        if least > most:
            raise ValueError("Maximum capacity cannot be less than minimum capacity")
        known = world.scalable.get((cluster, service))
        if known is None:
            target = ScalableTarget(cluster, service, least, most)
            self._simulation.engine.scale_service(target)
        else:
            known.minimum, known.maximum = least, most
            scaling.bound(world, known)
        return f"{resource}|{_ECS}", {"Id": f"{resource}|{_ECS}"}

    def register_anew(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        return self.register(logical_id, new, stack)

    def deregister(self, identifier: str, properties: Properties) -> None:
        self._simulation.world().scalable.pop(_service(identifier), None)

    def put_policy(self, logical_id: str, properties: Properties, stack: str) -> Made:
        target = self._target(str(properties["ScalingTargetId"]))
        name = str(properties["PolicyName"])
        tracking = properties.get("TargetTrackingScalingPolicyConfiguration", {})
        predefined = tracking.get("PredefinedMetricSpecification", {})
        # A custom metric is recorded but has no effect: see docs/simulation.md.
        metric = PREDEFINED.get(predefined.get("PredefinedMetricType", ""), "")
        world = self._simulation.world()
        resource = f"service/{target.cluster}/{target.service}"
        arn = world.arn(
            "autoscaling",
            f"scalingPolicy:{world.uuid()}:resource/ecs/{resource}:policyName/{name}",
        )
        value = float(tracking.get("TargetValue", 0))
        target.policies[name] = TrackingPolicy(metric, value, arn)
        return arn, {"Arn": arn, "PolicyName": name}

    def put_policy_anew(
        self, identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Made:
        _, attributes = self.put_policy(logical_id, new, stack)
        return identifier, {**attributes, "Arn": identifier}

    def delete_policy(self, identifier: str, properties: Properties) -> None:
        key = _service(str(properties["ScalingTargetId"]))
        target = self._simulation.world().scalable.get(key)
        if target is not None:
            target.policies.pop(str(properties["PolicyName"]), None)

    def _target(self, identifier: str) -> ScalableTarget:
        target = self._simulation.world().scalable.get(_service(identifier))
        if target is None:
            raise ValueError(f"No scalable target registered for {identifier}")
        return target


def _service(identifier: str) -> tuple[str, str]:
    _, cluster, service = identifier.partition("|")[0].split("/")
    return cluster, service
