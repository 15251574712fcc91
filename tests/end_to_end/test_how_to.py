"""The other pages as somebody follows them: every line of their shell blocks, one after another.

One system, from `init --account` to `ecs down`, in a sandbox of its own: three minutes, and so in
`make test-hostile`. test_tutorial follows some of them in `make test`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.place import ROOT
from tests.end_to_end.shell import YES, Shell, blocks, shell_lines

DOCS = ROOT / "docs"
# In an order in which each finds what it needs.
PAGES = (
    "how-to/real-account.md", "how-to/secrets.md", "how-to/release.md", "how-to/roll-back.md",
    "how-to/alarms.md", "how-to/incident.md", "how-to/environment.md", "how-to/scale.md",
    "how-to/roll-instances.md", "pipelines.md", "permissions.md", "update-tasks.md",
    "releases.md", "upgrading.md", "stacks.md",
)  # fmt: skip
# What they write into the config is theirs alone.
TAKEN_BACK = {"how-to/environment.md", "how-to/scale.md"}
# The tutorial has a test of its own; these blocks show requests to the service.
OTHERS = {"tutorial.md", "service.md"}
# What cannot be done here, and where it is.
ELSEWHERE = {
    "--no-build": "what it compares is hashed as it would be built: tests/opsctl/releases",
    "--rebuild": "an engine builds: tests/engine",
    "--env production": "another system's image: tests/end_to_end/test_two_hands.py",
}
# What the reader does before: the page is about a second release, or about one that is bad.
BEFORE = {
    "how-to/release.md": ['echo "# second" >> Caddyfile_template'],
    "how-to/roll-back.md": ['echo "# third" >> Caddyfile_template', "opsctl update-tasks"],
    "how-to/roll-instances.md": ["opsctl ecs up"],
    "stacks.md": ["opsctl alarms down"],
}
# The system here is small and young: three releases, no engine, few processes.
REPLACED = (
    (r"\bv?41\b", "1"), (r"\b42\b", "2"), (r"\b43\b", "3"), (r"\bscale 12\b", "scale 3"),
    (r"\bweb-ecs\b", "orders-ecs"), 
    (r"sha256:…", '"$(opsctl history 1 --json | grep -o "sha256:[0-9a-f]*" | head -1)"'),
    (r"^cd orders$", 'cd orders && sed -i "s/desired_count: 8/desired_count: 2/" opsctl.yaml'),
    # From a single node to another one.
    (r"(?=--from-snapshot)", "--set db.name=orders-moved "),
    (r"^(opsctl (?:--env \w+ )?update-tasks(?!.*--image))(.*)$",
     r'\1 --image "$(opsctl sandbox image)"\2'),
)  # fmt: skip
# They go on until Ctrl-C; what stands on the screen by then.
WATCHES = {"logs tail --since 15m --level error": "following", "status --watch": "orders|demo"}
ANSWERS = {
    **YES,
    r"name of the system \[\w+\]": "",
    r"which \w+\? \[[\d,]+\]": "",
    r"value of .*: |the same again: ": "a secret value",
    r"type `([\w-]+)` to go on": r"\1",
}


def same(line: str) -> str:
    """The line for the system here, without its comment."""
    line = re.sub(r"\s+#.*", "", line)
    for pattern, word in REPLACED:
        line = re.sub(pattern, word, line)
    return line


def ends(line: str) -> set[int]:
    """The exit codes that the pages name: 2 says that something would change."""
    if re.search(r"--dry-run|\bplan\b|\bdiff\b", line):
        return {0, 2}
    if "--check" in line:
        return {0, 10, 11}
    # An alarm may ring in so young a system, and then that is said.
    return {"opsctl doctor": {0, 10}, "opsctl alarms test healthy-hosts": {0, 1}}.get(line, {0})


def test_every_page_with_commands_is_followed() -> None:
    own = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if shell_lines(page)}
    assert own == {*PAGES, *OTHERS}


class Follower(Shell):
    def follows(self, page: str) -> None:
        """Every line of the page's blocks of shell; what a how-to page says to write is written."""
        config = self.home / "orders/opsctl.yaml"
        before = config.read_text() if config.exists() else ""
        for line in BEFORE.get(page, ()):
            self.does(same(line))
        for language, block in blocks(DOCS / page):
            if language == "yaml" and "how-to" in page:
                whole = merged(yaml.safe_load(config.read_text()), yaml.safe_load(block))
                config.write_text(yaml.safe_dump(whole))
            for line in block.splitlines() if language == "sh" else ():
                if not any(words in line for words in ELSEWHERE):
                    self.does(same(line.strip()))
        if page in TAKEN_BACK:
            config.write_text(before)

    def does(self, line: str) -> None:
        watched = [until for words, until in WATCHES.items() if words in line]
        if watched:
            code, said = self.watch(line, watched[0])
            assert code == 130, f"{line}: exit {code}\n{said}"
        else:
            code, said = self.type(line, ANSWERS)
            assert code in ends(line), f"{line}: exit {code}\n{said}"
        assert "Traceback" not in said, said


def merged(whole: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merged(whole[key], value) if both else value
    return whole


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    made = Follower(tmp_path)
    made.type("mkdir orders && cd orders && opsctl sandbox up --speed 300")
    made.type('eval "$(opsctl sandbox env)" && cd ..')
    yield made
    made.type("opsctl sandbox down")


@pytest.mark.timeout(900)
@pytest.mark.skipif("HOSTILE_PART" not in os.environ, reason="make test-hostile")
def test_every_line_of_the_pages_does_what_it_says(follower: Follower) -> None:
    for page in PAGES:
        follower.follows(page)
