"""Whatever `config check` passes, AWS takes: whole configs with any values.

cfn-lint holds each template against the schemas that CloudFormation itself publishes, and knows
what else AWS says of ids, names and types.
"""

import json
import subprocess
import sys
import types
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from opsctl.config import document, load
from opsctl.config.duration import format_duration
from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.stacks import definition

BASE: dict[str, Any] = {
    "name": "web",
    "network": {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"]},
}
CHANGES_OF_ONE = 60

# What else may stand where a text is expected.
TEXTS = st.one_of(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40),
    st.from_regex(r"[A-Za-z][A-Za-z0-9_.:/-]{0,60}", fullmatch=True),
    st.sampled_from(["", "default", "web", "x" * 300, "eu-west-1a", "web_x", "Web"]),
)


def strategy(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of one key as its type allows them, so that most pass the first judge."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    flat = [one for info in metadata for one in getattr(info, "metadata", [info])]
    if origin is Annotated:
        return strategy(arguments[0], (*arguments[1:], *metadata))
    if origin in (Union, types.UnionType):
        return st.one_of([strategy(one) for one in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        low, high = _ends(flat, 0, 5000)
        return st.one_of(st.sampled_from([low, high]), st.integers(low, high))
    if annotation is timedelta:
        low, high = _ends(flat, timedelta(), timedelta(days=1))
        seconds = st.integers(int(low.total_seconds()), int(high.total_seconds()))
        return seconds.map(lambda count: format_duration(timedelta(seconds=count)))
    if annotation is str:
        patterns = [one.pattern for one in flat if getattr(one, "pattern", None)]
        return st.one_of(*(st.from_regex(one) for one in patterns), TEXTS)
    if origin is list:
        return st.lists(strategy(arguments[0]), max_size=4)
    if origin is tuple:
        return st.tuples(*map(strategy, arguments))
    if origin is dict:
        return st.dictionaries(strategy(arguments[0]), strategy(arguments[1]), max_size=3)
    assert issubclass(annotation, BaseModel), annotation
    return st.fixed_dictionaries(
        {},
        optional={
            name: strategy(field.annotation, tuple(field.metadata))
            for name, field in annotation.model_fields.items()
        },
    )


def _ends(metadata: list[Any], low: Any, high: Any) -> tuple[Any, Any]:
    for one in metadata:
        low = one.ge if isinstance(one, annotated_types.Ge) else low
        high = one.le if isinstance(one, annotated_types.Le) else high
    return low, high


def keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += keys(kind, (*path, name))
        else:
            found.append(((*path, name), strategy(kind, tuple(field.metadata))))
    return found


KEYS = [(path, values) for path, values in keys(Config) if path != ("environment",)]
CHANGES = st.lists(
    st.sampled_from(KEYS).flatmap(lambda key: st.tuples(st.just(key[0]), key[1])),
    min_size=CHANGES_OF_ONE,
    max_size=CHANGES_OF_ONE,
)


def test_whole_configs_that_pass_are_ones_that_aws_takes(tmp_path: Path) -> None:
    templates: dict[str, Path] = {}

    @settings(max_examples=15, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(CHANGES)
    def write(changes: list[tuple[tuple[str, ...], Any]]) -> None:
        for template in _templates(changes):
            path = tmp_path / f"{len(templates)}.yaml"
            templates.setdefault(template, path).write_text(template)

    write()
    assert len(templates) > 20
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--regions", "us-east-1"]
        + ["--non-zero-exit-code", "informational", "--", *map(str, templates.values())],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout[:4000] + done.stderr


def _templates(changes: list[tuple[tuple[str, ...], Any]]) -> list[str]:
    """The templates of one config that has every change that `config check` lets through."""
    data, templates = BASE, list[str]()
    for path, value in changes:
        tried = deepcopy(data)
        section = tried
        for piece in path[:-1]:
            section = section.setdefault(piece, {})
        section[path[-1]] = value
        try:
            file = document.parse(json.dumps(tried), "opsctl.yaml")
            config = load.link(file, environment=None, environ={}).config
            templates = [stack(config).template for stack in definition.BY_KIND.values()]
        except ConfigError:
            continue
        data = tried
    return templates
