"""What CloudFormation says of a template's sections beside its resources, and of its functions.

The sentences are AWS's, as users and Eucalyptus, which copied them from AWS, quote them.
Where none is public, ours name the member.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Section: TypeAlias = Mapping[str, Any]
_VERSION = "2010-09-09"
_FORMAT, _ERROR = "Template format error: ", "Template error: "
_PARAMETER_KEYS = frozenset(
    {"AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description"}
    | {"MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type"}
)
_LOGICAL = ("And", "Equals", "Not", "Or")
_BOOLEAN = frozenset({"Condition", *(f"Fn::{name}" for name in _LOGICAL)})
_MANY = "object requires a list of at least 2 and at most 10 boolean parameters."
_PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        *("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId"),
        *("StackName", "URLSuffix"),
    )
)
_NAME = re.compile(r"[A-Za-z0-9]+")


def is_pseudo(name: str) -> bool:
    return name in _PSEUDO


def problems(template: Section) -> Iterator[str]:
    version = template.get("AWSTemplateFormatVersion", _VERSION)
    if str(version) != _VERSION:
        yield f"{_FORMAT}{version} is not a supported value for AWSTemplateFormatVersion."
    if not isinstance(template.get("Description", ""), str):
        yield f"{_FORMAT}Description must be a string."
    for section in ("Conditions", "Mappings", "Outputs", "Parameters"):
        if not isinstance(template.get(section) or {}, dict):
            yield f"{_FORMAT}{section} must be a map."
            return
    yield from _of_parameters(template.get("Parameters") or {})
    for name, mapping in (template.get("Mappings") or {}).items():
        if not _is_mapping(mapping):
            yield (
                f"{_FORMAT}[/Mappings/{name}] Every Mappings attribute must be a String or a List."
            )
    for name, output in (template.get("Outputs") or {}).items():
        if not _NAME.fullmatch(str(name)):
            yield f"{_FORMAT}Outputs name '{name}' is non alphanumeric."
        export = output.get("Export") if isinstance(output, dict) else None
        if export is not None and not (isinstance(export, dict) and export.get("Name")):
            yield f"{_FORMAT}[/Outputs/{name}/Export] Every Export must contain a Name."


def _of_parameters(parameters: Section) -> Iterator[str]:
    for name, parameter in parameters.items():
        if not _NAME.fullmatch(str(name)):
            yield f"{_FORMAT}Parameter name {name} is non alphanumeric."
        if not isinstance(parameter, dict) or not parameter.get("Type"):
            yield f"{_FORMAT}Every Parameters object must contain a Type member."
            continue
        for key in parameter:
            if key not in _PARAMETER_KEYS:
                yield f"Invalid template parameter property '{key}'"


def _is_mapping(mapping: Any) -> bool:
    """Whether it maps two keys to texts, or lists of them: no function, no third level."""
    return isinstance(mapping, dict) and all(
        isinstance(inner, dict) and not any(isinstance(one, dict) for one in inner.values())
        for inner in mapping.values()
    )


def of_conditions(template: Section, references: Callable[[Any], Iterator[Any]]) -> Iterator[str]:
    conditions, parameters = template.get("Conditions") or {}, template.get("Parameters") or {}
    named = dict.fromkeys(name for name, *_ in references(conditions))
    if strangers := [one for one in named if one not in parameters and not is_pseudo(one)]:
        yield (
            f"{_FORMAT}Unresolved dependencies [{', '.join(strangers)}]. Cannot reference "
            "resources in the Conditions block of the template"
        )
    needs: dict[str, list[str]] = {}
    for name, condition in conditions.items():
        if not _is_boolean(condition):
            yield (
                f"{_FORMAT}Conditions can only be boolean operations on parameters and other "
                "conditions"
            )
        needs[name] = _conditions_in(condition)
        for other in needs[name]:
            if other not in conditions:
                yield f"{_ERROR}unresolved condition dependency {other} in Condition"
    while ready := [name for name, others in needs.items() if not set(others) & set(needs)]:
        for name in ready:
            del needs[name]
    if needs:
        first, second = next(
            (name, other) for name, others in needs.items() for other in others if other in needs
        )
        yield f"{_ERROR}Found circular condition dependency between {first} and {second}"


def _is_boolean(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _BOOLEAN


def _conditions_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        name = value.get("Condition")
        if len(value) == 1 and isinstance(name, str):
            return [name]
        value = list(value.values())
    if isinstance(value, list):
        return [name for one in value for name in _conditions_in(one)]
    return []


def of_function(function: str, argument: Any) -> str:
    """Return what is wrong with a function's argument, as far as its form says it, or ''."""
    rule = _ARGUMENTS.get(function)
    if rule is None or rule[0](argument):
        return ""
    return _ERROR + rule[1]


def _list_of(*counts: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) in counts


def _booleans(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list)
        and least <= len(value) <= most
        and all(_is_boolean(one) for one in value)
    )


def _is_text(value: Any) -> bool:
    """Whether it is a text, or a function that may return one."""
    return not isinstance(value, Sequence) or isinstance(value, str)


def _is_sub(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and [type(one) for one in value] == [str, dict]
    )


_ARGUMENTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "Fn::And": (_booleans(2, 10), f"every Fn::And {_MANY}"),
    "Fn::Base64": (_is_text, "every Fn::Base64 object must have a String-typed value."),
    "Fn::Equals": (_list_of(2), "Fn::Equals requires a list argument with two elements"),
    "Fn::FindInMap": (
        # The fourth is the default of the transform AWS::LanguageExtensions.
        _list_of(3, 4),
        "every Fn::FindInMap object requires three parameters, the map name, map key and the "
        "attribute for return value",
    ),
    "Fn::GetAZs": (_is_text, "every Fn::GetAZs object must have a String-typed value."),
    "Fn::If": (_list_of(3), "Fn::If requires a list argument with three elements"),
    "Fn::Join": (
        _list_of(2),
        "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of "
        "strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) "
        "to be joined.",
    ),
    "Fn::Not": (_booleans(1, 1), "Fn::Not requires a list argument with one function token"),
    "Fn::Or": (_booleans(2, 10), f"every Fn::Or {_MANY}"),
    "Fn::Select": (
        _list_of(2),
        "Fn::Select requires a list argument with two elements: an integer index and a list",
    ),
    "Fn::Split": (_list_of(2), "every Fn::Split object requires two parameters"),
    "Fn::Sub": (
        _is_sub,
        "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a "
        "string as first argument, and an optional second argument to specify a mapping of values "
        "to replace in the string",
    ),
}
