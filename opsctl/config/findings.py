"""Turn pydantic's errors into sentences: the value, what is allowed, the nearest known name.

A value that is, or may be, a secret is never repeated.
"""

import re
import types
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from opsctl.config.document import Path, scalar, written
from opsctl.config.duration import format_duration
from opsctl.config.fields import WORDS
from opsctl.config.secret_words import looks_secret
from opsctl.errors import nearest

_REFERENCES = "a reference: ssm:/path, secretsmanager:name or env:NAME"
_EXPECTED = {
    "int_type": "a whole number",
    "string_type": "text (in quotes)",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping of keys",
    "tuple_type": "a list of two",
}
_PLURALS = {"character": "characters", "entry": "entries"}
_LIMITS = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}


def is_secret(path: Path) -> bool:
    """Return whether the value at `path` must not be shown, judged by its section and name."""
    *sections, last = [str(piece) for piece in path]
    if "secrets" in sections[:2] or path[:2] == ("db", "password"):
        return path not in (("secrets", "file"), ("secrets", "kms_key"))
    free = any(name in sections for name in ("environment", "build_args", "variables"))
    return free and looks_secret(last)


def sentences(
    errors: Iterable[Mapping[str, Any]], data: object, model: type[BaseModel]
) -> dict[Path, str]:
    """Return path -> sentence. The errors of a union's branches become one sentence."""
    by_path: dict[Path, list[Mapping[str, Any]]] = {}
    for error in errors:
        by_path.setdefault(real_path(error, data), []).append(error)
    return {
        path: _sentence(path, _deepest(group), model)
        for path, group in by_path.items()
        # A branch of the union that fits better says more than `expected a literal`.
        if not any(other[: len(path)] == path and other != path for other in by_path)
    }


def real_path(error: Mapping[str, Any], data: object) -> Path:
    """Return the error's path in the file, without the union branches that pydantic adds."""
    path: list[str | int] = []
    for piece in error["loc"]:
        if piece in _children(data):
            data = _children(data)[piece]
        elif error["type"] != "missing" or piece != error["loc"][-1]:
            continue
        path.append(piece)
    return tuple(path)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` or the list of known words."""
    names = sorted(known)
    near = nearest(word, names)
    return f"did you mean `{near}`?" if near else f"known here: {', '.join(names) or 'nothing'}"


def _children(data: object) -> Mapping[str | int, object]:
    if isinstance(data, Mapping):
        return data
    return dict(enumerate(data)) if isinstance(data, list) else {}


def _deepest(group: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [error for error in group if error["type"] == "extra_forbidden"] or group


def _sentence(path: Path, group: list[Mapping[str, Any]], model: type[BaseModel]) -> str:
    kind = group[0]["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return f"unknown key, {suggestion(str(path[-1]), _keys_at(model, path[:-1]))}"
    value = "found something else" if is_secret(path) else f"found {_shown(group[0]['input'])}"
    if kind == "value_error" and not is_secret(path):
        return f"{value}: {group[0]['ctx']['error']}"
    return f"{value}, allowed: {' or '.join(dict.fromkeys(_allowed(error) for error in group))}"


def _allowed(error: Mapping[str, Any]) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "literal_error":
        return str(error["ctx"]["expected"]).replace("'", "")
    if kind == "string_pattern_mismatch":
        pattern = str(error["ctx"]["pattern"])
        return _REFERENCES if "secretsmanager" in pattern else WORDS.get(pattern, pattern)
    if kind.endswith(("too_short", "too_long")):
        lengths = {"min_length": "at least", "max_length": "at most"}
        count, limit = next(
            (error["ctx"][key], lengths[key]) for key in lengths if key in error["ctx"]
        )
        what = "character" if isinstance(error["input"], str) else "entry"
        return f"{limit} {count} {what if count == 1 else _PLURALS[what]}"
    for word, limit in _LIMITS.items():
        if word in error.get("ctx", {}):
            return f"{limit} {_limit(error['ctx'][word])}"
    return message.removeprefix("Input should be ").removeprefix("String should ")


def _limit(end: object) -> str:
    """Return a number as it is; pydantic gives durations as `datetime.timedelta(seconds=5)`."""
    parts = {unit: int(count) for unit, count in re.findall(r"(\w+)=(\d+)", str(end))}
    return format_duration(timedelta(**parts)) if parts else str(end)


def _shown(value: object) -> str:
    if isinstance(value, (Mapping, list)):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = str(written(value))
    if isinstance(value, str) and not isinstance(scalar(value), str):
        text = f'"{text}"'
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`"


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    known: type[BaseModel] | None = model
    for piece in path:
        if isinstance(piece, int) or known is None:
            continue
        known = _model_in(known.model_fields[piece].annotation)
    return [name for name in known.model_fields if name != "environment"] if known else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, list):
        models = (_model_in(inner) for inner in get_args(annotation))
        return next((model for model in models if model is not None), None)
    return None
