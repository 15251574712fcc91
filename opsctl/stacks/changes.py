"""A change set as values, and each change in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from opsctl.stacks.definition import Stack
from opsctl.stacks.template import read as read_template

# What a change does to whoever uses the resource, by type and property. Sources: the
# "Update requires" line of each property in the CloudFormation resource reference.
_EFFECTS = {
    ("AWS::ElastiCache::CacheCluster", "CacheNodeType"): "the node is exchanged; the cache empties",
    ("AWS::ElastiCache::CacheCluster", "EngineVersion"): "the engine restarts; the cache empties",
    ("AWS::ElastiCache::CacheCluster", "PreferredMaintenanceWindow"): "no interruption",
    ("AWS::ElastiCache::ReplicationGroup", "CacheNodeType"): "nodes are exchanged one by one",
    ("AWS::ECS::Service", "TaskDefinition"): "the tasks are rolled",
    ("AWS::ECS::Service", "DesiredCount"): "tasks are started or stopped",
    ("AWS::ECS::TaskDefinition", ""): "a new revision; the tasks are rolled",
    ("AWS::EC2::LaunchTemplate", ""): "a new version; the instances are rolled",
    ("AWS::AutoScaling::AutoScalingGroup", "LaunchTemplate"): "the instances are rolled",
}
# Replacing one of these loses what it holds.
STATEFUL = {"AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"}


@dataclass(frozen=True, slots=True)
class PropertyChange:
    name: str
    recreates: bool
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """`replacement` is the API's own word: True, False, Conditional, or '' for Add and Remove."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""
    properties: tuple[PropertyChange, ...] = ()

    @property
    def replaces(self) -> bool:
        return self.replacement == "True" and self.resource_type != "AWS::ECS::TaskDefinition"

    @property
    def loses_data(self) -> bool:
        """The cache is emptied: replaced, removed, or restarted as a single node."""
        if self.resource_type not in STATEFUL:
            return False
        return self.replaces or self.action == "Remove" or "empties" in self.effect

    @property
    def effect(self) -> str:
        if self.action == "Remove":
            return "removed, with what it holds" if self.resource_type in STATEFUL else "removed"
        if self.replaces:
            causes = ", ".join(one.name for one in self.properties if one.recreates)
            emptied = "; the cache empties" if self.resource_type in STATEFUL else ""
            return f"replaced{f' because of {causes}' if causes else ''}{emptied}"
        known = [_EFFECTS.get((self.resource_type, one.name)) for one in self.properties]
        known.append(_EFFECTS.get((self.resource_type, "")) if self.action == "Modify" else None)
        return next((effect for effect in known if effect), "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would do to a stack. One without changes is a value, not an error.

    `kind` is CREATE or UPDATE. An update is planned by CloudFormation, in the change set of this
    id; a stack that does not exist is planned from its template, and AWS hears nothing of it.
    """

    stack: Stack
    kind: Literal["CREATE", "UPDATE"]
    changes: tuple[Change, ...] = ()
    change_set: str = ""
    stack_id: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def loses_data(self) -> tuple[Change, ...]:
        """The changes that empty the cache; a stack that does not exist has nothing to lose."""
        if self.kind == "CREATE":
            return ()
        return tuple(change for change in self.changes if change.loses_data)


def of_template(template: str) -> tuple[Change, ...]:
    """Every resource of a template, as one that is added; those with a condition left out."""
    resources = read_template(template)["Resources"]
    return tuple(
        Change("Add", name, resource["Type"])
        for name, resource in resources.items()
        if "Condition" not in resource
    )


def read(changes: Iterable[Any]) -> tuple[Change, ...]:
    """Replacements first, then removals, then the rest in the API's order."""
    listed = [_change(item["ResourceChange"]) for item in changes if "ResourceChange" in item]
    return tuple(sorted(listed, key=lambda one: (not one.replaces, one.action != "Remove")))


def _change(change: Any) -> Change:
    properties: dict[str, PropertyChange] = {}
    for detail in change.get("Details", ()):
        target = detail.get("Target", {})
        name = target.get("Name") or target.get("Attribute", "")
        # The API lists a property once for each source, static and dynamic.
        earlier = properties.get(name)
        properties[name] = PropertyChange(
            name=name,
            recreates=target.get("RequiresRecreation") == "Always"
            or (earlier is not None and earlier.recreates),
            before=target.get("BeforeValue") or (earlier.before if earlier else None),
            after=target.get("AfterValue") or (earlier.after if earlier else None),
        )
    return Change(
        action=change["Action"],
        logical_id=change["LogicalResourceId"],
        resource_type=change["ResourceType"],
        replacement=change.get("Replacement", ""),
        properties=tuple(properties.values()),
    )
