"""Parse a change set into values, and describe each change in plain words."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from opsctl.stacks.definition import Stack
from opsctl.stacks.template import read as read_template

# Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/scaling-redis-classic.html
_INTERRUPTS = "an interruption; AWS keeps the data where it can"
# With the template's `UseOnlineResharding`, shards are added and removed in place. Source:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatepolicy.html
_SHARDS = ("AWS::ElastiCache::ReplicationGroup", "NumNodeGroups")
_COUNT = ("AWS::ECS::Service", "DesiredCount")
_LEFT_TO_SCALING = "from now on the scaling sets the count"
_ROLLED = "the tasks are rolled onto the capacity provider or off"
# What a change means to those who use the resource, by type and property. Source: "Update requires"
# of each property in the CloudFormation resource reference.
_EFFECTS = {
    ("AWS::ElastiCache::CacheCluster", "CacheNodeType"): f"the node is exchanged: {_INTERRUPTS}",
    ("AWS::ElastiCache::CacheCluster", "EngineVersion"): f"the engine restarts: {_INTERRUPTS}",
    ("AWS::ElastiCache::CacheCluster", "PreferredMaintenanceWindow"): "no interruption",
    ("AWS::ElastiCache::ReplicationGroup", "CacheNodeType"): "nodes are exchanged one by one",
    ("AWS::ElastiCache::ReplicationGroup", "EngineVersion"): "nodes are upgraded one by one",
    _SHARDS: "slots move between the shards while it runs",
    ("AWS::ECS::Service", "ForceNewDeployment"): _ROLLED,
    ("AWS::ECS::Service", "LaunchType"): _ROLLED,
    ("AWS::ECS::Service", "TaskDefinition"): "the tasks are rolled",
    _COUNT: "tasks are started or stopped",
    # Source: "Rebalancing activities" in the Auto Scaling user guide; no hook drains them.
    (
        "AWS::AutoScaling::AutoScalingGroup",
        "VPCZoneIdentifier",
    ): "Auto Scaling balances its zones anew, and ends instances together with their tasks",
    ("AWS::ECS::TaskDefinition", ""): "a new revision; the tasks are rolled",
    ("AWS::EC2::LaunchTemplate", ""): "a new version, for instances that are launched from now on",
}
# Replacing or removing one of these loses its data, or the name by which clients know it.
_CACHES = ("AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup")
LOSSES: Mapping[str, str] = {
    **dict.fromkeys(_CACHES, "the cache empties"),
    "AWS::ECS::Cluster": "every task stops",
    "AWS::ECS::Service": "every task stops",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "clients lose its DNS name",
}
# Source:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
_DRIFTED = {"MODIFIED": "changed outside of the stack", "DELETED": "deleted outside of the stack"}


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A changed property. `recreates` if it replaces the resource, surely or perhaps."""

    name: str
    recreates: bool
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a resource. `replacement` is the API's: True, False, Conditional, or ''.

    `drift` is MODIFIED or DELETED when the resource was changed outside of the stack, or '' when
    CloudFormation was not asked.
    """

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""
    properties: tuple[PropertyChange, ...] = ()
    drift: str = ""

    @property
    def replaces(self) -> bool:
        return self.replacement == "True" and self.resource_type != "AWS::ECS::TaskDefinition"

    @property
    def may_replace(self) -> bool:
        """Whether it may be replaced: CloudFormation decides only during the update."""
        causes = not self.properties or any(one.recreates for one in self.properties)
        return self.replacement == "Conditional" and self.resource_type in _CACHES and causes

    @property
    def loss(self) -> str:
        """What is lost for good, or ''."""
        if self.replaces or self.may_replace or self.action == "Remove":
            return LOSSES.get(self.resource_type, "")
        return ""

    @property
    def effect(self) -> str:
        return "; ".join(filter(None, (_DRIFTED.get(self.drift, ""), self._effect)))

    @property
    def _effect(self) -> str:
        if self.action == "SyncWithActual":
            return "the stack takes note of it, and nothing changes"
        lost = f"; {self.loss}" if self.loss else ""
        if self.action == "Remove":
            return f"removed{lost}"
        if self.replaces or self.may_replace:
            causes = ", ".join(one.name for one in self.properties if one.recreates)
            how = "replaced" if self.replaces else "may be replaced"
            return f"{how}{f' because of {causes}' if causes else ''}{lost}"
        if self.action == "Import":
            return "exists already, and is taken over"
        known = [
            _LEFT_TO_SCALING
            if (self.resource_type, one.name) == _COUNT and one.before and one.after is None
            else _EFFECTS.get((self.resource_type, one.name))
            for one in self.properties
        ]
        known.append(_EFFECTS.get((self.resource_type, "")) if self.action == "Modify" else None)
        return "; ".join(dict.fromkeys(filter(None, known)))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would do to a stack. Without changes it is empty, which is not an error.

    `kind` is CREATE or UPDATE. CloudFormation plans an update, in the change set with this id. A
    new stack is planned from its template, without any call of AWS.
    """

    stack: Stack
    kind: Literal["CREATE", "UPDATE"]
    changes: tuple[Change, ...] = ()
    change_set: str = ""
    stack_id: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.change_set

    @property
    def only_outputs(self) -> bool:
        """Whether no resource changes; CloudFormation lists resources only.

        Source: https://github.com/aws/aws-cdk/pull/2029
        """
        return bool(self.change_set) and not self.changes

    @property
    def losses(self) -> tuple[Change, ...]:
        """Changes that lose data or names for good. A new stack has nothing to lose."""
        if self.kind == "CREATE":
            return ()
        return tuple(change for change in self.changes if change.loss)


def of_template(template: str, imports: Collection[str] = ()) -> tuple[Change, ...]:
    """Return every resource of a template as an addition, without those that have a condition."""
    resources = read_template(template)["Resources"]
    return tuple(
        Change("Import" if name in imports else "Add", name, resource["Type"])
        for name, resource in resources.items()
        if "Condition" not in resource
    )


def read(changes: Iterable[Any]) -> tuple[Change, ...]:
    """Parse the API's changes: replacements first, then removals, then the rest."""
    listed = [_change(item["ResourceChange"]) for item in changes if "ResourceChange" in item]
    return tuple(
        sorted(
            listed,
            key=lambda one: (not one.replaces, not one.may_replace, one.action != "Remove"),
        )
    )


def _change(change: Any) -> Change:
    properties: dict[str, PropertyChange] = {}
    for detail in change.get("Details", ()):
        target = detail.get("Target", {})
        name = target.get("Name") or target.get("Attribute", "")
        # The API lists a property once per source, static and dynamic.
        earlier = properties.get(name)
        before = target.get("BeforeValue") or (earlier.before if earlier else None)
        recreates = target.get("RequiresRecreation") in ("Always", "Conditionally")
        if (change["ResourceType"], name) == _SHARDS and before:
            recreates = False
        properties[name] = PropertyChange(
            name=name,
            recreates=recreates or (earlier is not None and earlier.recreates),
            before=before,
            after=target.get("AfterValue") or (earlier.after if earlier else None),
        )
    return Change(
        action=change["Action"],
        logical_id=change["LogicalResourceId"],
        resource_type=change["ResourceType"],
        replacement=change.get("Replacement", ""),
        properties=tuple(properties.values()),
        drift=change.get("ResourceDriftStatus", ""),
    )
