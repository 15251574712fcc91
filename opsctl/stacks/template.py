"""Parse a rendered template, with its functions in their long form. Pure."""

from typing import Any

import yaml

# The C parser, part of PyYAML's wheels, is ten times as fast.
_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fast):  # type: ignore[misc]  # one of two classes
    pass


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def read(template: str) -> dict[str, Any]:
    """Return the whole template as plain values."""
    values: dict[str, Any] = yaml.load(template, Loader=_Loader)  # subclass of a SafeLoader
    return values


def deletion_policies(template: str) -> dict[str, str]:
    """Return logical id -> DeletionPolicy."""
    resources: dict[str, Any] = read(template).get("Resources", {})
    return {key: resource.get("DeletionPolicy", "Delete") for key, resource in resources.items()}


def properties(template: str, logical_id: str) -> dict[str, Any]:
    values: dict[str, Any] = read(template)["Resources"][logical_id]["Properties"]
    return values
