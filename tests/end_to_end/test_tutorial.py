"""The tutorial as a newcomer does it: its own lines, one after another, typed into a shell.

An empty directory, a real terminal, a sandbox of its own, and the questions answered.
"""

import re
from collections.abc import Iterator

import pytest

from tests.end_to_end.place import ROOT
from tests.end_to_end.shell import NO, shell_lines
from tests.end_to_end.test_how_to import Follower

LINES = shell_lines(ROOT / "docs/tutorial.md")
# Pages that a small running system is enough for.
PAGES = ("how-to/incident.md", "permissions.md")
# What the tutorial says of these: 2 means different; the one warning is the missing engine.
ENDS = {"opsctl db plan": 2, "opsctl doctor": 10}
# Installing is for test_install; the image is built in tests/engine; each rehearsal has its test.
ELSEWHERE = re.compile(r"pipx |opsctl update-tasks$|opsctl rehearse \S")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    made = Follower(tmp_path_factory.mktemp("newcomer"))
    yield made
    made.type("opsctl sandbox down")


@pytest.mark.timeout(300)
def test_every_line_of_the_tutorial_does_what_it_says(shell: Follower) -> None:
    screen = {}
    for line in LINES:
        if ELSEWHERE.match(line):
            continue
        if line.startswith("opsctl ecs down"):
            for page in PAGES:
                shell.follows(page)
        if line == "opsctl db up":
            code, said = shell.type(line, NO)
            assert code == 7 and "nothing was done" in said
        # Simulated time is faster here, so that nobody waits.
        code, said = shell.type(line.replace("sandbox up", "sandbox up --speed 300"))
        assert code == ENDS.get(line, 0), f"{line}: exit {code}\n{said}"
        assert "Traceback" not in said, said
        screen[line] = said
    assert "deployed" in screen['opsctl update-tasks --image "$(opsctl sandbox image)"']
    assert "back to release 1" in screen["opsctl rollback"]
    assert "nothing wrong that can be seen" in screen["opsctl why"]
    assert "stopped" in screen["opsctl sandbox down"]
