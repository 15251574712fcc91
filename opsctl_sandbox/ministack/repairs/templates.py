"""Refuse templates and parameters that CloudFormation refuses before it makes a stack.

The sentences are AWS's, as users of it have quoted them; ministack takes most of these templates.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import yaml
from ministack.services.cloudformation import changesets, engine, handlers

from opsctl_sandbox.ministack.repairs import template_sections

Template: TypeAlias = Mapping[str, Any]
Parse: TypeAlias = Callable[[str], dict[str, Any]]
_SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata"}
    | {"Outputs", "Parameters", "Resources", "Rules", "Transform"}
)
_ATTRIBUTES = frozenset(
    {"Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties"}
    | {"Type", "UpdatePolicy", "UpdateReplacePolicy", "Version"}
)
_POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot"),
    "UpdateReplacePolicy": ("Delete", "Retain", "Snapshot"),
}
_WITH_SNAPSHOTS = frozenset(
    f"AWS::{name}"
    for name in (
        *("DocDB::DBCluster", "EC2::Volume", "ElastiCache::CacheCluster"),
        *("ElastiCache::ReplicationGroup", "Neptune::DBCluster", "RDS::DBCluster"),
        *("RDS::DBInstance", "Redshift::Cluster"),
    )
)
_FUNCTIONS = (
    *("Fn::Base64", "Fn::GetAtt", "Fn::GetAZs", "Fn::ImportValue", "Fn::Join", "Fn::Split"),
    *("Fn::FindInMap", "Fn::Select", "Ref", "Fn::Equals", "Fn::If", "Fn::Not", "Condition"),
    *("Fn::And", "Fn::Or", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"),
    *("Fn::ValueOf", "Fn::ValueOfAll", "Fn::RefAll", "Fn::Sub", "Fn::Cidr"),
)
# What macros and tools of others leave behind.
_OTHERS = frozenset({"Fn::Transform", "Fn::ToJsonString", "Fn::Length", "Fn::GetStackOutput"})
_PARAMETER_TYPES = frozenset({"String", "Number", "List<Number>", "CommaDelimitedList"})
_FORMAT = "Template format error: "


def install() -> None:
    """Check whatever template comes with a call."""
    original = engine._validate_template_statics

    def validate(template: dict[str, Any]) -> None:
        # A macro may still make something else of it.
        if not template.get("Transform"):
            for problem in problems(template):
                raise ValueError(problem)
        original(template)

    engine._validate_template_statics = validate
    _install_absences()
    parse, resolve = _well_formed(engine._parse_template), _given(engine._resolve_parameters)
    for module in (engine, handlers, changesets):
        for name, function in (("_parse_template", parse), ("_resolve_parameters", resolve)):
            getattr(module, name)
            setattr(module, name, function)


def _install_absences() -> None:
    original = engine.validate_template_support

    def validate(template: dict[str, Any], conditions: dict[str, bool], **options: Any) -> None:
        original(template, conditions, **options)
        # ValidateTemplate knows no parameters, so it cannot know what conditions leave out.
        if "params" in options and not template.get("Transform"):
            for problem in absences(template, conditions):
                raise ValueError(problem)

    for module in (engine, handlers, changesets):
        assert module.validate_template_support is original
        module.validate_template_support = validate


def _well_formed(original: Parse) -> Parse:
    def parse(body: str) -> dict[str, Any]:
        try:
            return original(body)
        except json.JSONDecodeError as error:
            line, column, kind = error.lineno, error.colno, "JSON"
        except yaml.MarkedYAMLError as error:
            if error.problem_mark is None:
                raise
            line, column, kind = error.problem_mark.line + 1, error.problem_mark.column + 1, "YAML"
        raise ValueError(f"{kind} not well-formed. (line {line}, column {column})")

    return parse


def _given(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def resolve(
        template: dict[str, Any],
        given: list[dict[str, Any]],
        previous: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        defined = template.get("Parameters") or {}
        values = {one["Key"]: one for one in given if "Key" in one}
        if unknown := [name for name in values if name not in defined]:
            raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        missing = [
            name for name, one in defined.items() if name not in values and "Default" not in one
        ]
        if missing:
            raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")
        for name, one in defined.items():
            allowed = [str(value) for value in one.get("AllowedValues") or ()]
            value = values.get(name, {}).get("Value")
            if allowed and value is not None and str(value) not in allowed:
                text = one.get("ConstraintDescription", "must be one of AllowedValues")
                raise ValueError(f"Parameter '{name}' {text}")
        return original(template, given, previous)

    return resolve


def problems(template: Template) -> Iterator[str]:
    """Yield what CloudFormation says of a template; it says the first."""
    if unknown := sorted(set(template) - _SECTIONS):
        yield f"Invalid template property or properties [{', '.join(unknown)}]"
    resources = template.get("Resources")
    if not resources or not isinstance(resources, dict):
        yield f"{_FORMAT}At least one Resources member must be defined."
        return
    yield from template_sections.problems(template)
    for section in ("Resources", "Outputs"):
        for path in _nulls(template.get(section, {}), f"/{section}"):
            yield f"[{path}] 'null' values are not allowed in templates"
    for name, resource in resources.items():
        yield from _of_resource(name, resource)
    for parameter in (template.get("Parameters") or {}).values():
        kind = parameter.get("Type", "") if isinstance(parameter, dict) else ""
        if kind not in _PARAMETER_TYPES and not kind.startswith(("AWS::", "List<AWS::")):
            yield f"{_FORMAT}Unrecognized parameter type: {kind}"
    for name, output in (template.get("Outputs") or {}).items():
        if not isinstance(output, dict) or "Value" not in output:
            yield f"{_FORMAT}[/Outputs/{name}] Every Outputs member must contain a Value object"
    yield from of_conditions(template)
    for section in ("Resources", "Outputs"):
        yield from _of_functions(template.get(section) or {})
    yield from _of_references(template)


def of_conditions(template: Template) -> Iterator[str]:
    yield from template_sections.of_conditions(template, engine._intrinsic_references)
    yield from _of_functions(template.get("Conditions") or {})


def _of_functions(section: Template) -> Iterator[str]:
    for function, argument in _functions(section):
        if problem := template_sections.of_function(function, argument):
            yield problem


def absences(template: Template, conditions: Mapping[str, bool]) -> Iterator[str]:
    """Yield what is said of references to resources that their conditions leave out."""
    resources = template.get("Resources") or {}
    absent = {name for name, one in resources.items() if not _is_made(one, conditions)}
    for block in ("Resources", "Outputs"):
        made = [
            {key: _chosen(value, conditions) for key, value in one.items() if key != "DependsOn"}
            for one in (template.get(block) or {}).values()
            if _is_made(one, conditions)
        ]
        if missing := sorted(absent & {name for name, _ in engine._intrinsic_references(made)}):
            yield (
                f"{_FORMAT}Unresolved resource dependencies [{', '.join(missing)}] in the {block} "
                "block of the template"
            )


def _is_made(member: Any, conditions: Mapping[str, bool]) -> bool:
    return isinstance(member, dict) and conditions.get(member.get("Condition", ""), True)


def _chosen(value: Any, conditions: Mapping[str, bool]) -> Any:
    """Return the value with each `Fn::If` replaced by what its condition chooses."""
    if isinstance(value, list):
        return [_chosen(one, conditions) for one in value]
    if not isinstance(value, dict):
        return value
    choice = value.get("Fn::If")
    if isinstance(choice, list) and len(choice) == 3 and choice[0] in conditions:
        return _chosen(choice[1 if conditions[choice[0]] else 2], conditions)
    return {key: _chosen(one, conditions) for key, one in value.items()}


def _of_resource(name: str, resource: Any) -> Iterator[str]:
    if not isinstance(resource, dict):
        yield f"{_FORMAT}[/Resources/{name}] resource definition is malformed"
        return
    if not str(name).isalnum() or not str(name).isascii():
        yield f"{_FORMAT}Resource name {name} is non alphanumeric."
    if not isinstance(resource.get("Properties", {}), dict):
        yield f"{_FORMAT}[/Resources/{name}/Properties] Properties must be a map."
    if not resource.get("Type"):
        yield f"{_FORMAT}[/Resources/{name}] Every Resources object must contain a Type member."
    for key in resource:
        if key not in _ATTRIBUTES:
            yield f"Invalid template resource property '{key}'"
    for attribute, policies in _POLICIES.items():
        policy = resource.get(attribute)
        if isinstance(policy, str) and policy not in policies:
            yield f"{_FORMAT}Unrecognized {attribute} {policy} for resource {name}"
        if policy == "Snapshot" and resource.get("Type") not in _WITH_SNAPSHOTS:
            kind = resource.get("Type")
            yield f"Template error: resource type {kind} does not support deletion policy Snapshot"


def _of_references(template: Template) -> Iterator[str]:
    conditions, resources = template.get("Conditions") or {}, template["Resources"]
    for block in ("Resources", "Outputs"):
        members = template.get(block) or {}
        for member in members.values():
            name = member.get("Condition")
            if isinstance(name, str) and name not in conditions:
                yield (
                    f"{_FORMAT}Unresolved condition dependency {name} in the {block} block of the "
                    "template"
                )
        for function, argument in _functions(members):
            if function.startswith("Fn::") and function not in {*_FUNCTIONS, *_OTHERS}:
                supported = ", ".join(_FUNCTIONS)
                yield (
                    f"Template error: Encountered unsupported function: {function} Supported "
                    f"functions are: [{supported}]"
                )
            name = argument[0] if function == "Fn::If" and isinstance(argument, list) else None
            if isinstance(name, str) and name not in conditions:
                yield f"Template error: unresolved condition dependency {name} in Fn::If"
        if missing := unresolved(template, block):
            yield (
                f"{_FORMAT}Unresolved resource dependencies [{', '.join(missing)}] in the {block} "
                "block of the template"
            )
    if circle := _circle(resources):
        yield f"Circular dependency between resources: [{', '.join(circle)}]"


def unresolved(template: Template, block: str) -> list[str]:
    """Return the names in a block that are neither resources nor parameters, each once."""
    resources, members = template.get("Resources") or {}, template.get(block) or {}
    known = {*resources, *(template.get("Parameters") or {})}
    named = {name for name, _ in engine._intrinsic_references(members)}
    missing = {one for one in named if one not in known and not template_sections.is_pseudo(one)}
    if block == "Resources":
        waited = {name for one in members.values() for name in _depends_on(one)}
        missing |= waited - set(resources)
    return sorted(missing)


def _depends_on(resource: Mapping[str, Any]) -> list[str]:
    names = resource.get("DependsOn") or []
    return [names] if isinstance(names, str) else list(names)


def _circle(resources: Mapping[str, Any]) -> list[str]:
    """Return the resources that wait for one another, and those that wait for them."""
    waiting = {name: engine._extract_deps(one, set(resources)) for name, one in resources.items()}
    while ready := [name for name, others in waiting.items() if not others & set(waiting)]:
        for name in ready:
            del waiting[name]
    return list(waiting)


def _functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every function with its argument: the only member of its object."""
    if isinstance(value, list):
        for one in value:
            yield from _functions(one)
    elif isinstance(value, dict):
        if len(value) == 1:
            yield from value.items()
        for one in value.values():
            yield from _functions(one)


def _nulls(value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _nulls(one, f"{path}/{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _nulls(one, f"{path}/{number}")
