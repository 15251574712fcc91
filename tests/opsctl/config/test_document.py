from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.config import document
from opsctl.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("0o17", 15),
        ("017", 17),
        ("0x1f", 31),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        ("2026-11-23", "2026-11-23"),
        ('"8"', "8"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found: Any = document.parse(f"key: {text}\n", "f").data["key"]
    assert found == value
    assert isinstance(found, type(value))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: 1\na: 2\n", "f:2:1 a: written twice, first at f:1:1"),
        ("a: {b: 1, b: 2}\n", "f:1:11 a.b: written twice, first at f:1:5"),
        ("a: !Ref x\n", "f:1:4 tag !Ref: tags are not allowed here"),
        ("a: !x {b: 1}\n", "f:1:4 tag !x: tags are not allowed here"),
        ("[a]: 1\n", "f:1:1 a key must be a word, not a list or a mapping"),
        ("a: &a [*a]\n", "f:1:4 aliases make this file endless"),
        ("a: 1\n---\nb: 1\n", "f:2:1 is not YAML: but found another document"),
    ],
)
def test_what_yaml_allows_and_a_config_does_not(text: str, finding: str) -> None:
    with pytest.raises(ConfigError) as error:
        document.parse(text, "f")
    assert error.value.findings == (finding,)


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError) as error:
        document.parse("\n".join(lines), "f")
    assert "aliases make this file endless" in error.value.findings[0]


@given(st.text())
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    try:
        document.parse(text, "f")
    except ConfigError as error:
        assert error.message.startswith("`f` ")
