import subprocess
from pathlib import Path

from opsctl.images import revision


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", directory, *identity, *arguments], check=True, capture_output=True)


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    assert str(revision.read(tmp_path)) == "uncommitted"


def test_a_change_since_the_commit_is_marked(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    clean = revision.read(tmp_path)
    (tmp_path / "file").write_text("two")
    assert not clean.dirty
    assert str(revision.read(tmp_path)) == f"{clean.commit[:12]}-dirty"
