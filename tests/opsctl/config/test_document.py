from pathlib import Path
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


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 60_000,
        "a: " + "[" * 5_000 + "]" * 5_000,
        "a: " + "{a: " * 5_000 + "}" * 5_000,
        "- " * 5_000 + "x",
        "\n".join(" " * depth + "a:" for depth in range(500)),
    ],
)
def test_what_is_nested_deep_is_refused_before_it_is_read(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        document.parse(text, "opsctl.yaml")
    assert "nested deeper than 32 levels" in raised.value.findings[0]
    with pytest.raises(ConfigError):
        document.value(text)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        document.parse("# x\n" * 300_000, "opsctl.yaml")
    assert "is too long: 1,200,000 characters" in raised.value.findings[0]


def test_a_device_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        document.read(Path("/dev/zero"))
    assert "is too long" in raised.value.findings[0]


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "opsctl.yaml"
    file.write_bytes(b"name: x\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"opsctl\.yaml:2:6 is not UTF-8"):
        document.read(file)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "opsctl.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert document.read(file).data == {"name": "x"}


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        ("here/opsctl.yml", "there is another: --config opsctl.yml"),
        ("opsctl.yaml", "there is another: --config {}/opsctl.yaml"),
        ("other.yaml", "for a new system: opsctl init; for another file: --config FILE"),
    ],
)
def test_a_config_that_lies_elsewhere_is_named(
    there: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / there).touch()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ConfigError) as raised:
        document.read(Path("opsctl.yaml"))
    assert raised.value.hint == hint.format(tmp_path)
