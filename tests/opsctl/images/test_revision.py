import subprocess
from pathlib import Path

from opsctl.images import revision


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", directory, *identity, *arguments], check=True, capture_output=True)


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    assert str(revision.read(tmp_path)) == "uncommitted"


def test_a_subject_is_read_whatever_encoding_git_writes_to_a_terminal(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "config", "i18n.logOutputEncoding", "ISO-8859-1")
    for subject in ("first", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"):
        git(tmp_path, "commit", "--allow-empty", "-m", subject)
    after = revision.read(tmp_path).commit
    [shown] = revision.commits(tmp_path, f"{after}~1", after)
    assert shown.endswith(" caf\N{LATIN SMALL LETTER E WITH ACUTE}")


def test_a_change_since_the_commit_is_marked(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    clean = revision.read(tmp_path)
    (tmp_path / "file").write_text("two")
    assert not clean.dirty
    assert str(revision.read(tmp_path)) == f"{clean.commit[:12]}-dirty"
