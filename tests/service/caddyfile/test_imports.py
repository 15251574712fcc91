"""Imports of files, globs and snippets: what is put in the place of an `import`."""

import logging
import os
import time
from pathlib import Path

import pytest

from service.caddyfile import Token, parse
from service.caddyfile.parser import MOST_FILE_IMPORTS, MOST_SNIPPET_IMPORTS
from service.errors import CaddyfileError

Words = list[list[str]]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def read(folder: Path, text: str, **environment: str) -> dict[tuple[str, ...], Words]:
    blocks = parse(text, str(folder / "Caddyfile"), environment=environment)
    return {
        block.keys: [[each.name, *(token.text for token in each.args)] for each in block.directives]
        for block in blocks
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {\n import one\n dir3\n}", {("a",): [["dir1", "x"], ["dir2"], ["dir3"]]}),
        ("a\nimport one", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("import block", {("b", "c"): [["foo"]]}),
        ("a\nimport none*", {("a",): []}),
        ("a b\nimport none*\ndir", {("a", "b"): [["dir"]]}),
        ("import keys\nimport keys\nz {\n}", {("k1", "k2", "k1", "k2", "z"): []}),
        ("import keys\nz {\n dir\n}", {("k1", "k2", "z"): [["dir"]]}),
        ("a {\n import {$FILE}\n}", {("a",): [["dir1", "x"], ["dir2"]]}),
        ('a {\n import "one"\n}', {("a",): [["dir1", "x"], ["dir2"]]}),
        ("a {\n import o*\n}", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("a {\n import ?ne\n}", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("a {\n import \\one\n}", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("a {\n import .h*\n}", {("a",): [["hidden"]]}),
        ("a {\n import blank\n dir\n}", {("a",): [["dir"]]}),
        ("a {\n dir x import one\n}", {("a",): [["dir", "x", "import", "one"]]}),
    ],
)
def test_files_are_put_in_place(
    tmp_path: Path, text: str, expected: dict[tuple[str, ...], Words]
) -> None:
    write(tmp_path, one="dir1 x\ndir2", block="b, c {\n foo\n}", keys="k1, k2,", blank="# only\n")
    write(tmp_path, **{".hidden": "hidden"})
    assert read(tmp_path, text, FILE="one") == expected


def test_a_file_may_be_imported_inside_the_block_of_a_directive(tmp_path: Path) -> None:
    write(tmp_path, inner="x y\nz")
    (block,) = parse(
        "a {\n dir {\n  import inner\n  last\n }\n}", str(tmp_path / "C"), environment={}
    )
    lines = block.directives[0].block or ()
    assert [[token.text for token in line] for line in lines] == [["x", "y"], ["z"], ["last"]]
    assert lines[0][1] == Token("y", str(tmp_path / "inner"), 1)
    assert lines[2][0] == Token("last", str(tmp_path / "C"), 4)


def test_globs_are_in_the_order_of_names_and_relative_to_the_importing_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, top="top")
    write(tmp_path / "sub", b="b\nimport ../top", a="a", c="import a")
    assert read(tmp_path, "k {\n import sub/*\n}") == {("k",): [["a"], ["b"], ["top"], ["a"]]}
    assert read(tmp_path, "k {\n import s*/c\n}") == {("k",): [["a"]]}
    assert read(tmp_path, f"k {{\n import {tmp_path}/sub/a\n}}") == {("k",): [["a"]]}


def test_a_glob_without_a_match_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, "k {\n import none*\n dir\n}") == {("k",): [["dir"]]}
    assert "none*" in caplog.text


SNIPPET = "(s) {\n dir1 x\n dir2 {\n  y\n }\n}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SNIPPET + "a {\n import s\n dir3\n}", {("a",): [["dir1", "x"], ["dir2"], ["dir3"]]}),
        (SNIPPET + "(t) {\n import s\n}\na\nimport t", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("(s) {\n}\na {\n import s\n dir\n}", {("a",): [["dir"]]}),
        ("(s) {\n dir {$X}\n}\na {\n import s\n}", {("a",): [["dir", "1"]]}),
        ("import defines\na {\n import inside\n}", {("a",): [["deep"]]}),
        (SNIPPET + "a {\n import uses\n}", {("a",): [["dir1", "x"], ["dir2"]]}),
        ("(uses) {\n mine\n}\na {\n import uses\n}", {("a",): [["mine"]]}),
    ],
)
def test_snippets_are_put_in_place(
    tmp_path: Path, text: str, expected: dict[tuple[str, ...], Words]
) -> None:
    write(tmp_path, defines="(inside) {\n deep\n}", uses="import s")
    assert read(tmp_path, text, X="1") == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a {\n import\n}", 2, "Wrong argument count or unexpected line ending after 'import'"),
        ("import one {\n dir\n}", 1, "Import takes only one argument"),
        ("a {\n import one two\n}", 2, "Import takes only one argument (glob pattern or file)"),
        ('a {\n import ""\n}', 2, "Import requires a non-empty filepath"),
        ("a {\n import {$UNSET}\n}", 2, "Import requires a non-empty filepath"),
        ("a {\n import none\n}", 2, "File to import not found: none"),
        ("a {\n import (s)\n}", 2, "File to import not found: (s)"),
        ("a {\n import nul\0\n}", 2, "File to import not found: nul\0"),
        ("a {\n import " + "x" * 5000 + "\n}", 2, "File to import not found: x"),
        ("a {\n import **\n}", 2, "Glob pattern may only contain one wildcard (*), but has others"),
        ("a {\n import o[n]e\n}", 2, "Glob pattern may only contain one wildcard"),
        ("a {\n import o[ne\n}", 2, "Failed to use import pattern o[ne: syntax error in pattern"),
        ("a {\n import one\\\n}", 2, "syntax error in pattern"),
        ("a {\n import [\0\n}", 2, "syntax error in pattern"),
        ("a {\n import .\n}", 2, "is a directory"),
        ("a {\n import pipe\n}", 2, "is not a regular file"),
        ("a {\n import dangling\n}", 2, "no such file or directory"),
        ("a {\n import empty\n}", 2, "Could not read tokens while importing"),
        ("a {\n import (\n}", 2, "File to import not found"),
        ("a {\n import one/*/x\n import none\n}", 3, "File to import not found: none"),
        ("a {\n import huge\n}", 2, "more than 8000000 bytes"),
        ("a,\nimport none*", 2, "Unexpected EOF"),
    ],
)
def test_imports_that_cannot_be(tmp_path: Path, text: str, line: int, message: str) -> None:
    write(tmp_path, one="dir", empty="")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(8_000_001)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CaddyfileError) as caught:
        read(tmp_path, text)
    assert (caught.value.line, caught.value.file) == (line, str(tmp_path / "Caddyfile"))
    assert message in str(caught.value)


def test_an_error_in_an_imported_file_is_placed_there(tmp_path: Path) -> None:
    write(tmp_path, bad="dir x\n\ndir }")
    with pytest.raises(CaddyfileError, match=f"^{tmp_path}/bad:3 - "):
        read(tmp_path, "a {\n import bad\n}")


@pytest.mark.parametrize(
    ("text", "cycle"),
    [
        ("a {\n import Caddyfile\n}", "D/Caddyfile -> D/Caddyfile"),
        ("a {\n import x\n}", "D/x -> D/y -> D/x"),
        ("a {\n import glob*\n}", "D/glob -> D/glob"),
        ("(s) {\n import s\n}\na {\n import s\n}", "(s) -> (s)"),
        ("(s) {\n import t\n}\n(t) {\n import s\n}\na {\n import t\n}", "(t) -> (s) -> (t)"),
        ("(s) {\n import calls\n}\na {\n import s\n}", "(s) -> D/calls -> (s)"),
    ],
)
def test_a_cycle_is_named(tmp_path: Path, text: str, cycle: str) -> None:
    write(tmp_path, x="import y", y="dir\nimport x\n", glob="import glob", calls="import s")
    (tmp_path / "Caddyfile").write_text(text)
    with pytest.raises(CaddyfileError) as caught:
        read(tmp_path, text)
    assert caught.value.message.endswith("Import cycle: " + cycle.replace("D", str(tmp_path)))


def test_files_that_import_the_same_file_are_no_cycle(tmp_path: Path) -> None:
    write(tmp_path, x1="import z", x2="import z\nimport x1", z="dir")
    assert read(tmp_path, "a {\n import x?\n import x1\n import z\n}") == {("a",): [["dir"]] * 5}


def snippets(depth: int, times: int) -> str:
    """Innermost first: v1 sees a new line only where line numbers go up."""
    text = "(s0) {\n dir\n}\n"
    for n in range(1, depth):
        text += f"(s{n}) {{\n" + f" import s{n - 1}\n" * times + "}\n"
    return text + f"a {{\n import s{depth - 1}\n}}"


@pytest.mark.parametrize(
    "text",
    [
        snippets(60, 2),
        snippets(2_000, 1),
        "(s) {\n dir\n}\na {\n" + " import s\n" * (MOST_SNIPPET_IMPORTS + 1) + "}",
        "a {\n" + " import one\n" * (MOST_FILE_IMPORTS // 2) + " import pair*\n" * 60_000 + "}",
        "(s) {\n" + " dir x y z\n" * 1_000 + "}\na {\n" + " import s\n" * 100 + "}",
    ],
    ids=["doubling", "deep", "many snippets", "many files", "many tokens"],
)
def test_imports_are_bounded(tmp_path: Path, text: str) -> None:
    write(tmp_path, one="dir", pair1="# none", pair2="# none")
    started = time.process_time()
    with pytest.raises(CaddyfileError, match="Too many imports"):
        read(tmp_path, text)
    assert time.process_time() - started < 10


def test_as_many_imports_as_allowed_are_read(tmp_path: Path) -> None:
    text = "(s) {\n dir\n}\na {\n" + " import s\n" * MOST_SNIPPET_IMPORTS + "}"
    assert len(read(tmp_path, text)[("a",)]) == MOST_SNIPPET_IMPORTS
