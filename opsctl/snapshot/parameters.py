"""Read and write SSM parameters as plain values.

GetParametersByPath returns ten per page, and a page may be empty although more follow.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterMetadataTypeDef, ParameterTypeDef

BATCH = 10  # the maximum for one GetParameters call
_AT_ONCE = 50  # names in one filter of DescribeParameters
LONGEST = 4096  # bytes of a value in the standard tier
_SIDE_BY_SIDE = 8
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter.

    `fields` is the JSON object in its value; empty when the value is anything else.
    """

    name: str
    fields: dict[str, Any]
    modified: datetime | None = None


def value(ssm: "SSMClient", name: str) -> str:
    """Return the value of a parameter, or '' if it does not exist."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"].get("Value", "")
    except ssm.exceptions.ParameterNotFound:
        return ""


def under(ssm: "SSMClient", path: str) -> dict[str, Parameter]:
    """Return every parameter below `path`, by name."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    return {one.name: one for page in pages for one in map(_parameter, page["Parameters"])}


def described(ssm: "SSMClient", names: Sequence[str]) -> "dict[str, ParameterMetadataTypeDef]":
    """Return SSM's metadata, without values, of those of these names that exist."""
    by_name: dict[str, ParameterMetadataTypeDef] = {}
    pages = ssm.get_paginator("describe_parameters").paginate
    for at in range(0, len(names), _AT_ONCE):
        values = list(names[at : at + _AT_ONCE])
        for page in pages(ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": values}]):
            by_name |= {one.get("Name", ""): one for one in page["Parameters"]}
    return by_name


def named(ssm: "SSMClient", names: Iterable[str]) -> dict[str, Parameter]:
    """Return those of these names that exist, by name."""
    all_names = list(names)
    batches = [all_names[at : at + BATCH] for at in range(0, len(all_names), BATCH)]
    answers: list[Any] = []
    for at in range(0, len(batches), _SIDE_BY_SIDE):
        some = batches[at : at + _SIDE_BY_SIDE]
        answers += together([partial(ssm.get_parameters, Names=names) for names in some])
    given = chain.from_iterable(answer["Parameters"] for answer in answers)
    return {one.name: one for one in map(_parameter, given)}


def written(fields: Mapping[str, Any]) -> str:
    """Return `fields` as JSON without `{{` and `}}`, which SSM would take for references."""
    text = json.dumps(fields, separators=(",", ":"))
    text = _TEXT.sub(lambda one: one[0].replace("{", r"\u007b").replace("}", r"\u007d"), text)
    return text.replace("}}", "} }")


def when(text: object) -> datetime:
    """Parse a time that opsctl wrote. Returns the earliest possible time for anything else."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def _parameter(described: "ParameterTypeDef") -> Parameter:
    try:
        fields = json.loads(described.get("Value", ""))
    except ValueError:
        fields = None
    return Parameter(
        described.get("Name", ""),
        fields if isinstance(fields, dict) else {},
        described.get("LastModifiedDate"),
    )
