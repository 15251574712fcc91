"""Every object that the code prints with `--json` has its row in docs/json.md.

What commands print while the end-to-end tests run is compared with it, too (place, conftest).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests import json_page

ROOT = Path(__file__).parent.parent


def emitted() -> Iterator[tuple[str, ast.Call]]:
    for path in (ROOT / "opsctl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "emit":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, node


def test_every_field_that_the_code_names_is_documented() -> None:
    rows = json_page.rows()
    missing = {
        f"{kind}.{word.arg}"
        for kind, call in emitted()
        for word in call.keywords
        if word.arg and word.arg not in rows.get(kind, ())
    }
    assert not missing


def test_every_documented_type_is_one_that_the_code_prints() -> None:
    text = "".join(path.read_text() for path in (ROOT / "opsctl").rglob("*.py"))
    assert not [kind for kind in json_page.rows() if f'"{kind}"' not in text]


def test_a_field_that_the_page_does_not_name_is_noticed() -> None:
    line = '{"v": 2, "type": "stack", "status": null, "outputs": {"Any": 1}, "invented": 1}'
    assert json_page.undocumented(line) == {"stack.invented"}
    assert json_page.undocumented('{"v": 2, "type": "invented"}') == {"invented"}
