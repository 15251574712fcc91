"""Secrets: what the directive accepts, what the site gets, and what is never said."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.caddyfile import Directive, Token
from service.chain import Site
from service.errors import CaddyfileError, StartError
from service.filters import secrets

CANARY = "canary-8d1f"


def directive(*args: str) -> Directive:
    return Directive("secrets", "Caddyfile", 4, tuple(Token(a, "Caddyfile", 4) for a in args))


def nothing(reference: str) -> str:
    raise AssertionError(f"{reference} was resolved")


def site_of(file: Path) -> Site:
    site = Site("", 8082)
    secrets.build((secrets.Options(file),), site, nothing)
    return site


def test_parse_needs_neither_the_file_nor_the_network() -> None:
    assert secrets.parse(directive("absent.yml")) == secrets.Options(Path("absent.yml"))


@pytest.mark.parametrize("args", [(), ("a.yml", "b.yml")])
def test_any_other_count_of_arguments_is_an_error_at_its_line(args: tuple[str, ...]) -> None:
    with pytest.raises(CaddyfileError, match=r"^Caddyfile:4 - secrets takes one argument"):
        secrets.parse(directive(*args))


def test_a_block_is_an_error_at_its_line() -> None:
    with pytest.raises(CaddyfileError, match=r"^Caddyfile:4 - secrets takes no block"):
        secrets.parse(replace(directive("a.yml"), block=()))


def test_values_keep_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text("zulu: 1\nalpha: two\nmike:\n  yankee: y\n  bravo: [b]\n")
    secret = site_of(file).secrets
    assert list(secret) == ["zulu", "alpha", "mike"]
    assert secret["alpha"] == "two"
    assert list(secret["mike"]) == ["yankee", "bravo"]
    assert dict(secret["mike"]) == {"yankee": "y", "bravo": ["b"]}


def test_no_repr_shows_a_value(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text(f"token: {CANARY}\nnested:\n  token: {CANARY}\nlist: [{CANARY}]\n")
    site = site_of(file)
    shown = f"{site!r} {site.secrets} {site.secrets['nested']!r} {site.secrets!s}"
    assert CANARY not in shown
    assert "token=***" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: {CANARY}\n\tb: 2", r":2:1 is not YAML$"),
        (f"a: !!python/name:os.system {CANARY}", r":1:4 is not YAML$"),
        ("a: 2026-99-99", "is not YAML$"),
        (f"- {CANARY}", "has to be a mapping"),
        ("", "has to be a mapping"),
    ],
)
def test_a_bad_file_stops_the_start_without_quoting_it(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text(text)
    with pytest.raises(StartError, match=message) as caught:
        site_of(file)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="absent.yml: No such file"):
        site_of(tmp_path / "absent.yml")


def test_a_file_that_is_not_text_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StartError, match="is not UTF-8"):
        site_of(file)


def test_references_are_resolved_once_each_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text(
        "a: ssm:/app/token\nb:\n  c: [secretsmanager:redis, ssm:/app/token]\nd: plain\n"
    )
    references: list[str] = []

    def resolve(reference: str) -> str:
        references.append(reference)
        return f"<{reference}>"

    loaded = secrets.load(file, resolve)
    assert loaded["a"] == "<ssm:/app/token>"
    assert loaded["b"]["c"] == ["<secretsmanager:redis>", "<ssm:/app/token>"]
    assert loaded["d"] == "plain"
    assert references == ["ssm:/app/token", "secretsmanager:redis"]


def test_a_value_of_the_environment_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.yml").write_text("token: env:TOKEN_OF_TEST\n")
    monkeypatch.setenv("TOKEN_OF_TEST", "canary")
    assert secrets.load(tmp_path / "secrets.yml", str)["token"] == "canary"
    for value, why in (("", "is there but empty"), (None, "is not set")):
        if value is None:
            monkeypatch.delenv("TOKEN_OF_TEST")
        else:
            monkeypatch.setenv("TOKEN_OF_TEST", value)
        with pytest.raises(StartError, match=f"the variable TOKEN_OF_TEST .* {why}"):
            secrets.load(tmp_path / "secrets.yml", str)
