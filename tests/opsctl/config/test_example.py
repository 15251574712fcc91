import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from opsctl.config import document, load
from opsctl.config.duration import format_duration
from opsctl.config.model import Config

EXAMPLE = Path(__file__).parents[3] / "opsctl.example.yaml"
DEFAULTS = Config.model_validate(
    {"name": "x", "network": {"vpc": "vpc-00000001", "subnets": ["subnet-0000000a"]}}
)


@pytest.mark.parametrize("environment", [None, "staging"])
def test_the_example_is_valid_as_it_stands(environment: str | None) -> None:
    assert load.load(EXAMPLE, environment=environment, environ={}).config.name == "example"


def test_the_example_has_every_key_of_the_model_and_no_other() -> None:
    data = document.read(EXAMPLE).data
    del data["environments"]
    assert _keys(data) == {path for path, _ in load.leaves(DEFAULTS) if path != ("environment",)}


def test_a_value_of_the_example_is_the_default_unless_its_comment_says_otherwise() -> None:
    file = document.read(EXAMPLE)
    lines = EXAMPLE.read_text().splitlines()
    for path, default in load.leaves(DEFAULTS):
        if path != ("environment",):
            comment = _comment(lines, int(file.keys[path].split(":")[1]) - 1)
            value: Any = file.data
            for piece in path:
                value = value[piece]
            if not re.search(r"# (Required|Example)", comment):
                assert _comparable(value) == _comparable(default), path


def _comment(lines: list[str], index: int) -> str:
    comment = lines[index]
    while lines[index - 1].lstrip().startswith("#"):
        index -= 1
        comment += lines[index]
    return comment


def _comparable(value: Any) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    return list(value) if isinstance(value, tuple) else value


def _keys(data: dict[str, Any], model: type[BaseModel] = Config, path: Any = ()) -> set[Any]:
    found: set[Any] = set()
    for name, value in data.items():
        annotation = model.model_fields[name].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= _keys(value, annotation, (*path, name))
        else:
            found.add((*path, name))
    return found
