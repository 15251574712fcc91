"""Which images a Dockerfile begins with, and whether there is a newer one."""

from typing import Any, cast

import pytest

from opsctl.images import base
from opsctl.images.base import Base
from tests.end_to_end.place import ROOT

OLD, NEW = "sha256:1", "sha256:2"


@pytest.mark.parametrize(
    ("dockerfile", "arguments", "images"),
    [
        ("FROM python:3.11", {}, ("python:3.11",)),
        ("ARG P=python:3.11\nFROM ${P} AS a\nFROM a AS b\nFROM b", {}, ("python:3.11",)),
        ("ARG P=python:3.11\nFROM $P", {"P": "mine:1"}, ("mine:1",)),
        (
            "ARG V=3.11\nARG P=python:${V}\nfrom --platform=linux/amd64 $P as x",
            {},
            ("python:3.11",),
        ),
        ('ARG P="quoted:1"\nFROM ${P}', {}, ("quoted:1",)),
        ("FROM ${P:-fallback:1}", {}, ("fallback:1",)),
        ("FROM scratch\nFROM one:1\nFROM two:2 AS t\nFROM T", {}, ("one:1", "two:2")),
        ("FROM one:1 AS a\nARG one=two\nCOPY --from=a / /", {}, ("one:1",)),
    ],
)
def test_the_images_that_stages_begin_with(
    dockerfile: str, arguments: dict[str, str], images: tuple[str, ...]
) -> None:
    assert base.references(dockerfile, arguments) == images


def test_our_own_dockerfile_has_one_base() -> None:
    assert base.references((ROOT / "Dockerfile").read_text(), {}) == ("python:3.11-slim",)


class Engine:
    def __init__(self, local: tuple[str, ...] = (), registry: str = "") -> None:
        self.local, self.registry = local, registry

    def local_digests(self, image: str) -> tuple[str, ...]:
        return self.local

    def registry_digest(self, image: str) -> str:
        return self.registry


def look(*images: str, **engine: Any) -> Base:
    return base.look(cast(Any, Engine(**engine)), images)


def test_the_registrys_digest_counts_and_an_older_one_here_is_stale() -> None:
    assert look("python:3.11", local=(OLD,), registry=NEW) == Base(NEW, stale=True)
    assert look("python:3.11", local=(NEW,), registry=NEW) == Base(NEW)
    assert look("python:3.11", registry=NEW) == Base(NEW, stale=True)


def test_without_the_registry_it_is_the_engines_own() -> None:
    assert look("python:3.11", local=(OLD,)) == Base(OLD)


def test_what_nobody_knows_is_not_guessed() -> None:
    assert look("python:3.11") == Base("")


def test_a_digest_in_the_dockerfile_needs_no_registry() -> None:
    assert look(f"python@{OLD}", local=(OLD,), registry=NEW) == Base(OLD)


def test_several_bases_are_one_text() -> None:
    assert look("a", "b", local=(OLD,)).digest == f"{OLD} {OLD}"
