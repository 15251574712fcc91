"""Judge the properties of a resource by AWS's schema of its type.

`resource_schemas.jsonl` has the schemas; `make docs` makes it. CloudFormation has two ways to say
what is wrong: early validation has sentences of its own, and a resource that fails later has those
of the schema library, without the values.
Sources: `ValidationException` of aws-cloudformation/cloudformation-resource-schema; everit-org's
json-schema; aws-cdk-cli#1463 and ministack's notes for early validation.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_suffix(".jsonl")
_EARLY = {
    "additionalProperties": "Unsupported property [{0}]",
    "required": "Required property [{0}] not found",
    "type": "Property [{name}] expected type: {0}",
    "enum": "{0}",
    "const": "{0}",
}
_LATE = {
    "additionalProperties": "extraneous key [{0}] is not permitted",
    "required": "required key [{0}] not found",
    "type": "expected type: {0}",
    "minLength": "expected minLength: {0}",
    "maxLength": "expected maxLength: {0}",
    "minItems": "expected minimum item count: {0}",
    "maxItems": "expected maximum item count: {0}",
    "minProperties": "minimum size: {0}",
    "maxProperties": "maximum size: {0}",
    "uniqueItems": "array items are not unique",
    "oneOf": "#: {0} subschemas matched instead of one",
}


class Unknown:
    """A value that is known only when another resource exists; every schema allows it."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Violation:
    path: tuple[str | int, ...]
    early: str
    """What early validation says."""
    late: str
    """What is said of a resource that fails when it is made."""


def violations(kind: str, properties: Mapping[str, Any]) -> tuple[Violation, ...]:
    """Return what AWS would refuse, each once; nothing for a type that it does not judge."""
    validator = _validator(kind)
    if validator is None:
        return ()
    return tuple(dict.fromkeys(map(_violation, validator.iter_errors(properties))))


def refusal(logical_id: str, wrong: Iterable[Violation]) -> str:
    """Return the reason of a resource that fails because of its properties."""
    lines = "\n".join(one.late for one in wrong)
    return f"Properties validation failed for resource {logical_id} with message:\n{lines}"


def _violation(error: Any) -> Violation:
    path, keyword = tuple(error.absolute_path), error.validator
    said = _LATE.get(keyword, f"failed validation constraint for keyword [{keyword}]")
    late = "/".join(("#", *map(str, path))) + ": " + said.format(error.message)
    name = path[-1] if path else "Properties"
    early = _EARLY[keyword].format(error.message, name=name) if keyword in _EARLY else late
    return Violation(path, early, late)


@cache
def _validator(kind: str) -> Any:
    line = _lines().get(kind)
    if line is None:
        return None
    # Importing jsonschema takes a while, which the start of the sandbox should not wait for.
    from opsctl_sandbox.ministack.schema_keywords import VALIDATOR

    return VALIDATOR(json.loads(line)[1])


@cache
def _lines() -> Mapping[str, str]:
    """Return the line of each type; a line is read when its type is needed."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return {line[2 : line.index('"', 2)]: line for line in lines}
