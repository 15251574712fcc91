"""Whatever `config check` passes, AWS takes: every number at its edges, against the schemas.

cfn-lint holds each template against the schemas that CloudFormation itself publishes.
"""

import re
import subprocess
import sys
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from opsctl.config import document, load
from opsctl.config.duration import format_duration
from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.stacks import definition

TEXT = "name: web\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
SCALING = (
    "ecs.scaling={minimum: 1, maximum: 5000, cpu_percent: 50, memory_percent: 50, requests: 9}"
)
# A number may need others beside it; the first company that is accepted is taken.
COMPANIES: tuple[tuple[str, ...], ...] = (
    (),
    ("ecs.desired_count=0",),
    ("db.kind=replication_group",),
    ("ecs.desired_count=1", "ecs.host_ports=fixed", "compute.maximum=3"),
    ("ecs.desired_count=1", "ecs.host_ports=fixed", "ecs.ports=[1, 80, 8082, 65535]"),
    ("ecs.ports=[1, 80, 65535]",),
    ("load_balancer.container_port=1", "ecs.health_check.command=null"),
    ("load_balancer.container_port=65535", "ecs.health_check.command=null"),
    ("compute.desired=0", "ecs.desired_count=0"),
    ("compute.instance_type=u-6tb1.metal",),
    ("compute.instance_type=u-6tb1.metal", "compute.maximum=5000", "compute.desired=5000"),
    ("compute.instance_type=u-6tb1.metal", "compute.maximum=5000", SCALING),
    ("compute.volume.device=/dev/xvdb",),
)
# Of numbers without an upper end; a real system is far below.
FAR = 5000


def test_every_number_at_its_edges_is_one_that_aws_takes(tmp_path: Path) -> None:
    edges = list(_edges(Config))
    assert len(edges) > 75
    for number, config in enumerate(_configs(edges)):
        for build in (definition.db, definition.ecs, definition.alarms):
            stack = build(config)
            (tmp_path / f"{number}-{stack.kind}.yaml").write_text(stack.template)
    files = sorted({path.read_text(): str(path) for path in tmp_path.iterdir()}.values())
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--regions", "us-east-1"]
        + ["--non-zero-exit-code", "informational", "--", *files],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout[:4000] + done.stderr


def test_no_number_of_the_config_is_left_out() -> None:
    edges = {key for key, _ in _edges(Config)}
    # This one is a choice of values.
    assert {key for key in _numbers(Config) if key not in edges} == {"logs.retention_days"}


def _numbers(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            yield from _numbers(section, f"{path}{name}.")
        elif re.search(r"\b(int|float|timedelta|Decimal)\b", repr(field.annotation)):
            yield f"{path}{name}"


def _configs(edges: list[tuple[str, str]]) -> Iterator[Config]:
    """As few configs as hold every edge between them, so that the lint takes seconds."""
    left = edges
    while left:
        config, taken = max((_fill(left, one) for one in COMPANIES), key=lambda made: len(made[1]))
        assert config is not None and taken, f"no config takes any of {left}"
        yield config
        left = [edge for edge in left if edge not in taken]


def _fill(
    edges: list[tuple[str, str]], company: tuple[str, ...]
) -> tuple[Config | None, dict[tuple[str, str], None]]:
    """A config with as many edges as it takes, beside this company."""
    file, config = document.parse(TEXT, "opsctl.yaml"), None
    taken: dict[tuple[str, str], None] = {}
    for key, value in edges:
        if any(key == other for other, _ in taken):
            continue
        chosen = [f"{key}={value}" for key, value in (*taken, (key, value))]
        keys = {one.partition("=")[0] for one in chosen}
        beside = [one for one in company if one.partition("=")[0] not in keys]
        try:
            loaded = load.link(
                file, environment=None, environ={}, overrides=_in_order([*beside, *chosen])
            )
        except ConfigError:
            continue
        config, taken[key, value] = loaded.config, None
    return config, taken


def _in_order(overrides: list[str]) -> list[str]:
    """A section before its keys."""
    return sorted(overrides, key=lambda one: one.partition("=")[0])


def _edges(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        key = f"{path}{name}"
        section = _section(field.annotation)
        if section is not None:
            yield from _edges(section, f"{key}.")
        elif (found := _range(field)) is not None:
            low, high, shape = found
            for edge in (low, high):
                value = format_duration(edge) if isinstance(edge, timedelta) else str(edge)
                yield key, shape.format(value)


def _section(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _range(field: FieldInfo) -> tuple[Any, Any, str] | None:
    """The lowest and the highest value, and how the key's value is written around one."""
    kinds = [(field.annotation, field.metadata, "{}")]
    while kinds:
        annotation, metadata, shape = kinds.pop(0)
        if annotation in (int, timedelta):
            return _ends(metadata, shape)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            inner = [piece for info in arguments[1:] for piece in getattr(info, "metadata", [info])]
            kinds.append((arguments[0], inner, shape))
        elif origin in (Union, types.UnionType):
            kinds += [(one, [], shape) for one in arguments]
        elif origin is list:
            kinds.append((arguments[0], [], "[{}]"))
        elif origin is tuple:
            kinds.append((arguments[0], [], "[1, 65535]"))
    return None


def _ends(metadata: list[Any], shape: str) -> tuple[Any, Any, str] | None:
    low = next((one.ge for one in metadata if isinstance(one, annotated_types.Ge)), None)
    high = next((one.le for one in metadata if isinstance(one, annotated_types.Le)), None)
    if low is None:
        return None  # a choice of values
    return low, (FAR if high is None else high), shape
