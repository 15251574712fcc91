"""Every cause that the code names can be looked up in the documents."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_NAMED = re.compile(
    r"(?:\bCause\(|\bplainly\(|\bcause\(\s*history,|\bcause=|_cause\(\s*history,)\s*"
    r'"([a-z]+(?:-[a-z]+)+)"'
)


def test_no_cause_has_a_name_that_nobody_can_look_up() -> None:
    text = (ROOT / "docs" / "explain.md").read_text()
    rows = text[text.index("### Causes") : text.index("## Recordings")]
    sources = [path.read_text() for path in (ROOT / "opsctl").rglob("*.py")]
    named = {id for source in sources for id in _NAMED.findall(source)}
    assert len(named) > 40
    assert named <= set(re.findall(r"`([a-z-]+)`", rows))
