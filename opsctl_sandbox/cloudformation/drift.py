"""Change sets that revert drift: CloudFormation compares the template with the live resources, not
with the previous template.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
"""

from collections.abc import Mapping
from typing import Any

from opsctl_sandbox.cloudformation.shapes import to_api
from opsctl_sandbox.ministack import caches, load_balancers, security_group_rules, stacks
from opsctl_sandbox.ministack.repairs import names
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Operation, Operations, Structure

_GROUP, _SERVICE = "AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::Service"
_SIZES = {"DesiredCapacity": "desired", "MinSize": "minimum", "MaxSize": "maximum"}
# What a service has beside its count and its task definition.
_SETTINGS = {
    "CapacityProviderStrategy": "capacityProviderStrategy",
    "DeploymentConfiguration": "deploymentConfiguration",
    "LoadBalancers": "loadBalancers",
    "PlacementConstraints": "placementConstraints",
    "PlacementStrategies": "placementStrategy",
}
Changed = dict[str, tuple[str, str]]
"""By property: what the stack has, and what is there."""


class Drift:
    """Compares which resources still exist, what services have, sizes of groups and caches, the
    ports and the target groups of listeners, and whether security groups have their rules.
    """

    def __init__(self, simulation: Simulation, operations: Operations) -> None:
        self._simulation = simulation
        self._before = operations

    def operations(self) -> dict[tuple[str, str], Operation]:
        return {
            ("cloudformation", "CreateChangeSet"): self.create,
            ("cloudformation", "DescribeChangeSet"): self.describe,
            ("cloudformation", "ExecuteChangeSet"): self.execute,
        }

    async def create(self, call: Call, ministack: Forward) -> Structure:
        answer = await self._before["cloudformation", "CreateChangeSet"](call, ministack)
        if call.parameters.get("DeploymentMode") != "REVERT_DRIFT":
            return answer
        change_set = stacks.change_set(answer["Id"])
        resources = stacks.resources(change_set["StackName"])
        changes = {one["ResourceChange"]["LogicalResourceId"]: one for one in change_set["Changes"]}
        for name, record in resources.items():
            status, changed = self._drift(record)
            change_set.setdefault("_drift", {})[name] = status
            if status in ("DELETED", "MODIFIED") and name not in changes:
                changes[name] = {"ResourceChange": _change(name, record, status, changed)}
        change_set["Changes"] = list(changes.values())
        if change_set["Changes"] and "didn't contain changes" in change_set["StatusReason"]:
            change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"}
            change_set["StatusReason"] = ""
        return answer

    async def describe(self, call: Call, ministack: Forward) -> Structure:
        answer = await self._before["cloudformation", "DescribeChangeSet"](call, ministack)
        drift: Mapping[str, str] = stacks.change_set(answer["ChangeSetId"]).get("_drift", {})
        if not drift:
            return answer
        changes = []
        for change in answer.get("Changes", ()):
            resource = dict(change["ResourceChange"])
            resource["ResourceDriftStatus"] = drift.get(resource["LogicalResourceId"], "IN_SYNC")
            changes.append({**change, "ResourceChange": resource})
        return {**answer, "Changes": changes, "DeploymentMode": "REVERT_DRIFT"}

    async def execute(self, call: Call, ministack: Forward) -> Structure:
        name, stack = call.parameters["ChangeSetName"], call.parameters.get("StackName", "")
        stacks.keep_drift(name, stack)
        return await self._before["cloudformation", "ExecuteChangeSet"](call, ministack)

    def _drift(self, record: Structure) -> tuple[str, Changed]:
        kind, identifier = record["ResourceType"], record["PhysicalResourceId"]
        properties = record["Properties"]
        if kind == _GROUP:
            return self._group(identifier, properties)
        if kind == _SERVICE:
            return self._service(identifier, properties)
        if kind == "AWS::ElasticLoadBalancingV2::Listener" and names.is_there(kind, identifier):
            return _compared(properties, load_balancers.listener(identifier))
        if kind == "AWS::EC2::SecurityGroup" and names.is_there(kind, identifier):
            lacking = security_group_rules.lacking(identifier, properties)
            changed = {"SecurityGroupIngress": (str(lacking), "[]")} if lacking else {}
            return ("MODIFIED" if changed else "IN_SYNC"), changed
        if kind in caches.TYPES and names.is_there(kind, identifier):
            return _compared(properties, caches.live(identifier))
        if kind == "AWS::ECS::Cluster":
            there: bool | None = identifier in self._simulation.world().clusters
        else:
            there = names.is_there(kind, identifier)
        if there is None:
            return "UNSUPPORTED", {}
        return ("IN_SYNC" if there else "DELETED"), {}

    def _group(self, name: str, properties: Structure) -> tuple[str, Changed]:
        group = self._simulation.world().groups.get(name)
        if group is None:
            return "DELETED", {}
        live = {"desired": group.desired, "minimum": group.spec.minimum}
        live["maximum"] = group.spec.maximum
        return _compared(properties, {key: live[member] for key, member in _SIZES.items()})

    def _service(self, arn: str, properties: Structure) -> tuple[str, Changed]:
        _, cluster, name = arn.rsplit("/", 2)
        service = self._simulation.world().services.get((cluster, name))
        if service is None or service.status != "ACTIVE":
            return "DELETED", {}
        spec = service.spec
        live = {"DesiredCount": spec.desired, "TaskDefinition": spec.task_definition}
        status, changed = _compared(properties, live)
        asked = to_api("UpdateService", dict(properties))
        for key, member in _SETTINGS.items():
            if key in properties and not _has(spec.document.get(member), asked[member]):
                status = "MODIFIED"
                changed[key] = (str(asked[member]), str(spec.document.get(member)))
        return status, changed


def _has(live: Any, asked: Any) -> bool:
    """Return whether what is there has all that the template names; it may have more members."""
    if isinstance(asked, Mapping):
        return isinstance(live, Mapping) and all(_has(live.get(k), v) for k, v in asked.items())
    if isinstance(asked, list):
        same = isinstance(live, list) and len(live) == len(asked)
        return same and all(map(_has, live, asked))
    return str(live) == str(asked)


def _compared(properties: Structure, live: Structure) -> tuple[str, Changed]:
    changed = {
        key: (str(properties[key]), str(value))
        for key, value in live.items()
        if key in properties and str(properties[key]) != str(value)
    }
    return ("MODIFIED" if changed else "IN_SYNC"), changed


def _change(name: str, record: Structure, status: str, changed: Changed) -> dict[str, Any]:
    targets = [
        {
            "Attribute": "Properties",
            "Name": key,
            "RequiresRecreation": "Never",
            "BeforeValue": actual,
            "AfterValue": wanted,
        }
        for key, (wanted, actual) in changed.items()
    ]
    return {
        "Action": "Add" if status == "DELETED" else "Modify",
        "LogicalResourceId": name,
        "PhysicalResourceId": record["PhysicalResourceId"],
        "ResourceType": record["ResourceType"],
        **({"Replacement": "False"} if status == "MODIFIED" else {}),
        "Scope": ["Properties"] if targets else [],
        "Details": [
            {"Target": one, "Evaluation": "Static", "ChangeSource": "DirectModification"}
            for one in targets
        ],
    }
