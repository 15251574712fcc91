"""Python 3.11 is what everything is tested with; 3.12 and 3.13 read the same sources.

Where these are not installed their test is skipped; `.github/workflows/ci.yml` installs opsctl in
both and runs scripts/try-install.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("opsctl", "opsctl_sandbox", "service", "tests", "bench", "scripts")
# "What's New" in Python 3.12 and 3.13, removed modules.
REMOVED = {
    *("asynchat", "asyncore", "distutils", "imp", "smtpd"),
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "mailcap", "msilib", "nis"),
    *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
    *("lib2to3", "tkinter.tix"),
}
_COMPILE = """\
import sys, warnings
from pathlib import Path
warnings.simplefilter("error")
for root in sys.argv[1:]:
    for path in Path(root).rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
"""


def python(version: str) -> str:
    """Where it is, among what is on the path and what pyenv has; '' for nowhere."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(kept.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")]
    for one in map(str, filter(None, found)):
        if subprocess.run([one, "--version"], capture_output=True).returncode == 0:
            return one
    return ""


def test_nothing_is_imported_that_a_newer_python_has_not() -> None:
    for path in (one for root in OURS for one in (ROOT / root).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert not REMOVED & {part for one in names for part in (one, one.split(".")[0])}, path


def test_the_oldest_python_is_the_one_that_ruff_and_mypy_look_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["ruff"].get("target-version", "py311") == "py" + oldest.replace(".", "")
    assert sys.version_info[:2] >= tuple(map(int, oldest.split(".")))


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_a_newer_python_takes_every_source_without_a_warning(version: str) -> None:
    interpreter = python(version)
    if not interpreter:
        pytest.skip(f"there is no Python {version} here")
    done = subprocess.run(
        [interpreter, "-c", _COMPILE, *OURS], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
