"""Any value at any key: a config or a ConfigError, never anything else, and no secret told."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.caddyfile import variables
from opsctl.config import document, load, show
from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.stacks import definition, template

DEFAULTS = Config.model_validate(
    {"name": "x", "network": {"vpc": "vpc-00000001", "subnets": ["subnet-0000000a"]}}
)
PATHS = [path for path, _ in load.leaves(DEFAULTS)]
SECTIONS = sorted({path[:length] for path in PATHS for length in range(1, len(path))})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(1, 100),
    st.floats(allow_nan=False),
    st.text(max_size=30),
    st.sampled_from(["ssm:/a", "secretsmanager:b#c", "env:X", "5m", "10.0.0.0/8", "described"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)  # PyYAML takes its time over a whole template
@given(st.lists(st.tuples(st.sampled_from(PATHS + SECTIONS), VALUES), max_size=4))
def test_any_value_anywhere_is_a_config_or_a_config_error(
    changes: list[tuple[tuple[str, ...], Any]],
) -> None:
    data: dict[str, Any] = {
        "name": "x1",
        "network": {"vpc": "vpc-00000001", "subnets": ["subnet-0000000a", "subnet-0000000b"]},
    }
    for path, value in changes:
        section: Any = data
        for piece in path[:-1]:
            section = section.setdefault(piece, {}) if isinstance(section, dict) else {}
        if isinstance(section, dict):
            section[path[-1]] = value
    try:
        loaded = load.link(
            document.parse(json.dumps(data), "f"), environment=None, environ={}, overrides=()
        )
    except ConfigError as error:
        assert error.message
        return
    # What is accepted can also be shown and rendered.
    assert show.rows(loaded)
    assert variables(loaded.config, {"RedisEndpoint": "a:1"})
    for build in (definition.db, definition.ecr, definition.ecs, definition.alarms):
        assert template.read(build(loaded.config).template)["Resources"]


@given(st.text(max_size=40))
def test_any_setting_is_a_config_or_a_config_error(entry: str) -> None:
    file = document.parse(
        "name: x1\nnetwork: {vpc: vpc-00000001, subnets: [subnet-0000000a, subnet-0000000b]}\n", "f"
    )
    for text in (entry, f"ecs.cpu={entry}", f"ecs.environment={entry}"):
        try:
            load.link(file, environment=None, environ={"OPSCTL_SET": text}, overrides=[text])
        except ConfigError as error:
            assert error.message


@pytest.mark.parametrize("character", ["\x1b", "\0", "\x7f", "\x9b", "\ufffe"])
def test_a_character_that_yaml_does_not_allow_is_named_with_its_place(character: str) -> None:
    with pytest.raises(ConfigError) as raised:
        document.parse(f"name: a\n# so{character}\n", "opsctl.yaml")
    number = f"U+{ord(character):04X}"
    assert f"opsctl.yaml:2:5 YAML does not allow the character {number}" in raised.value.findings
