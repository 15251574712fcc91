"""Read the commit of the working tree, and whether it has been changed since."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Revision:
    """`commit` is '' outside a git repository."""

    commit: str = ""
    dirty: bool = False

    def __str__(self) -> str:
        if not self.commit:
            return "uncommitted"
        return f"{self.commit[:12]}{'-dirty' if self.dirty else ''}"


def read(directory: Path) -> Revision:
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return Revision()
    return Revision(commit, dirty=bool(_git(directory, "status", "--porcelain", "--", ".")))


def commits(directory: Path, before: str, after: str, *, most: int = 20) -> tuple[str, ...]:
    """Return the commits from `before` to `after`, newest first: `9f3c1e2 raise pool size`.

    Returns none when git does not know one of them, or when `after` is the older one.
    """
    if not before or not after or before == after:
        return ()
    options = ("--encoding=UTF-8", f"--max-count={most}", "--format=%h %s")
    listed = _git(directory, "log", *options, f"{before}..{after}")
    return tuple(listed.splitlines())


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
