"""The list of repairs in the documentation is the list in the code."""

import re
from pathlib import Path

from opsctl_sandbox.ministack.repairs import table

DOCUMENT = Path(__file__).parents[4] / "docs" / "sandbox.md"


def test_every_repair_is_documented_and_nothing_else() -> None:
    rows = re.findall(r"^\| (`\w+:\w+`.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+):(\w+)`", row)]
    repaired = table.operations("127.0.0.1:1", "password", lambda group, events, size: None)

    assert sorted(listed) == sorted(repaired)
