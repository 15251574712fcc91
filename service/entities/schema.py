"""The entity paths as OpenAPI path items."""

from collections.abc import Mapping
from typing import Any

from service.entities.template import Template

_TEXT = {"type": "string"}
# A schema cannot express: in the form or here, but not in both.
_QUERY = (
    "Attributes may come in the query as well, or instead, in the same syntax; one that is in both"
    " is an error. A bare [a,b] is a list; bare $INCR, $ADD(x), $APPEND[..], $PREPEND[..] and"
    " $DELETE (POST) are commands; percent-encode what is data."
)
_VALUE = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]}


def path_item(template: Template, attribute: str) -> Mapping[str, Any]:
    problems = {
        "400": _answer("the path or an attribute is not of the allowed form", problem=True),
        "403": _answer("the security context does not hold the path's owner", problem=True),
        "404": _answer("there is no such entity, or no such site", problem=True),
        "413": _answer("the body is too large", problem=True),
        "502": _answer("the store refused the command", problem=True),
        "503": _answer("the store cannot be reached", problem=True),
    }
    written = {
        "415": _answer("the body is not a form", problem=True),
        "204": {"description": "done"},
    }
    conflict = {"409": _answer("an attribute is not of the type for the update", problem=True)}
    created = {"201": {"description": "there was no such entity before"}}
    read = {"200": {**_answer("the entity"), "content": _json(_entity(template))}}
    attributes = {"requestBody": _form(attribute), "description": _QUERY}
    return {
        "parameters": [_part(name, rule.pattern) for name, rule in template.rules],
        "get": _operation("Read an entity", {**read, **problems}, parameters=[_fields(attribute)]),
        "put": _operation("Replace an entity", {**created, **written, **problems}, **attributes),
        "post": _operation(
            "Change attributes of an entity, all or none",
            {**written, **conflict, **problems},
            **attributes,
        ),
        "delete": _operation("Delete an entity", {"204": {"description": "done"}, **problems}),
    }


def _operation(summary: str, responses: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"summary": summary, "responses": dict(responses), **more}


def _answer(description: str, problem: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if problem:
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        answer["content"] = {"application/problem+json": schema}
    return answer


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _entity(template: Template) -> dict[str, Any]:
    labels = [name for name in template.names if name != template.owner]
    one = {
        "type": "object",
        "properties": {
            **{name: _TEXT for name in labels},
            "last_update": {"type": "string", "format": "date-time"},
            "attributes": {"type": "object", "additionalProperties": _VALUE},
        },
        "required": [*labels, "last_update", "attributes"],
    }
    batch = {
        "type": "object",
        "properties": {
            "entities": {"type": "array", "items": one},
            "missing": {"type": "array", "items": _TEXT},
        },
        "required": ["entities", "missing"],
    }
    return {"oneOf": [one, batch]}


def _part(name: str, rule: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^(?:{rule})$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _fields(attribute: str) -> dict[str, Any]:
    items = {"type": "string", "pattern": f"^(?:{attribute})$"}
    schema = {"type": "array", "items": items, "minItems": 1}
    return {"name": "fields", "in": "query", "explode": False, "schema": schema}


def _form(attribute: str) -> dict[str, Any]:
    return {"content": {"application/x-www-form-urlencoded": {"schema": _members(attribute)}}}


def _members(attribute: str) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{attribute})$"},
        "additionalProperties": _TEXT,
    }
