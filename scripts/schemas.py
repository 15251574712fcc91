"""opsctl_sandbox/ministack/resource_schemas.jsonl: what AWS's schemas say of the properties of each
resource type that the sandbox makes.

CloudFormation judges a template by these schemas before it makes anything. cfn-lint (MIT-0) ships
those of AWS's registry; only what a property is judged by is taken. A type is a line, so that a
change can be read.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "opsctl_sandbox" / "ministack" / "resource_schemas.jsonl"
REGION = "us-east-1"  # has every type
# Types that AWS does not judge: metadata of the CDK, and what somebody else makes.
WITHOUT = frozenset({"AWS::CDK::Metadata", "AWS::CloudFormation::CustomResource"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_PLAIN = {"type", "enum", "const", "required", "uniqueItems", "$ref", *_NUMBERS, *_LENGTHS}
_ONE = ("items", "not")
_MANY = ("oneOf", "anyOf", "allOf")
_NAMED = ("properties", "patternProperties", "definitions")


def text() -> str:
    lines = (json.dumps([kind, schema], **_COMPACT) for kind, schema in _schemas())
    return "\n".join(lines) + "\n"


_COMPACT: Mapping[str, Any] = {"separators": (",", ":"), "sort_keys": True}


def types() -> list[str]:
    """Every resource type that the sandbox makes: ministack's, and those that it adds."""
    logging.disable()  # it says which optional libraries are missing
    from ministack.services.cloudformation import provisioners

    logging.disable(logging.NOTSET)
    rooms = [ROOT / "opsctl_sandbox" / room for room in ("cloudformation", "ministack")]
    code = "".join(path.read_text() for room in rooms for path in room.glob("*.py"))
    added = set(re.findall(r'"(AWS::\w+::\w+)"', code)) - {"AWS::CloudFormation::Stack"}
    return sorted({*provisioners._RESOURCE_HANDLERS, *added} - WITHOUT)


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    for kind in types():
        schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
        yield kind, _trimmed(schema)


def _trimmed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a type, without what only AWS can set, and without what nothing refers to.

    Which properties go together is cfn-lint's own knowledge, which CloudFormation does not have.
    """
    kept = {key: value for key, value in _judged(schema).items() if key not in _MANY}
    for path in schema.get("readOnlyProperties", ()):
        *_, parent, name = path.split("/")
        if parent == "properties" and name not in _writable(schema):
            kept["properties"].pop(name, None)
    while unused := set(kept.get("definitions", ())) - set(_references(kept)):
        for name in unused:
            del kept["definitions"][name]
    return kept


def _writable(schema: Mapping[str, Any]) -> set[str]:
    """Properties that a template may give, although AWS sets them too."""
    paths = [*schema.get("createOnlyProperties", ()), *schema.get("writeOnlyProperties", ())]
    return {path.split("/")[2] for path in paths} | set(schema.get("required", ()))


def _judged(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key in _PLAIN}
    if _compiles(schema.get("pattern")):
        kept["pattern"] = schema["pattern"]
    if schema.get("additionalProperties") is False:
        kept["additionalProperties"] = False
    kept |= {key: _judged(schema[key]) for key in _ONE if key in schema}
    kept |= {key: [_judged(one) for one in schema[key]] for key in _MANY if key in schema}
    for key in _NAMED:
        if key in schema:
            kept[key] = {name: _judged(one) for name, one in schema[key].items()}
    return kept


def _compiles(pattern: object) -> bool:
    """Whether Python reads the pattern; AWS reads it as Java does."""
    try:
        re.compile(str(pattern))
    except re.error:
        return False
    return isinstance(pattern, str)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.rpartition("/")[2]
        schema = list(schema.values())
    if isinstance(schema, list):
        for one in schema:
            yield from _references(one)
