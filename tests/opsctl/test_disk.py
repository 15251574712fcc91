"""A file is written whole or not at all; what stands in the way is a sentence."""

import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from opsctl import disk
from opsctl.errors import OpsError
from tests.end_to_end.place import ROOT


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_and_nothing_else_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "page"
    for text in ("a long first text", "short"):
        disk.write(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_stays_and_the_umask_counts_for_a_new_one(tmp_path: Path) -> None:
    path, secret = tmp_path / "page", tmp_path / "secret"
    before = os.umask(0o077)
    try:
        disk.write(path, "1")
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    path.chmod(0o640)
    disk.write(path, "2")
    assert mode(path) == 0o640
    secret.write_text("for all")
    disk.write(secret, "for one", private=True)
    assert mode(secret) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    disk.write(tmp_path / "link", "1")
    disk.write(tmp_path / "link", "2")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "2"


def test_a_second_name_of_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    disk.write(tmp_path / "one", "2")
    assert (tmp_path / "other").read_text() == "2"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    disk.write(pipe, "through", private=True)
    assert os.read(reader, 100) == b"through" and stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_a_pipe_that_nobody_reads_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OpsError, match="nobody reads from this pipe"):
        disk.write(tmp_path / "pipe", "lost")


def test_a_pipe_is_read_and_a_silent_one_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Timer(0.1, (tmp_path / "pipe").write_text, ("from a pipe",))
    writer.start()
    assert disk.read(tmp_path / "pipe", 100) == b"from a pipe"
    writer.join()
    with pytest.raises(OSError, match="nobody writes"):
        disk.read(tmp_path / "pipe", 100, silence=0.01)
    assert len(disk.read(Path("/dev/zero"), 7)) == 7


def test_a_character_that_utf_8_lacks_is_written_in_ascii(tmp_path: Path) -> None:
    disk.write(tmp_path / "page", "a\udc80b")
    assert (tmp_path / "page").read_text() == "a\\udc80b"


def odd(folder: Path, kind: str) -> Path:
    path = folder / "odd"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("odd")
    elif kind == "long":
        path = folder / ("x" * 300)
    elif kind == "no folder":
        path = folder / "none" / "odd"
    elif kind == "within a file":
        (folder / "file").write_text("")
        path = folder / "file" / "odd"
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("folder", "Is a directory"), ("loop", "Too many levels of symbolic links"),
        ("long", "File name too long"), ("no folder", "No such file or directory"),
        ("within a file", "Not a directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_a_sentence(tmp_path: Path, kind: str, reason: str) -> None:
    path = odd(tmp_path, kind)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OpsError, match=f"cannot be written: {reason}") as caught:
        disk.write(path, "text")
    assert caught.value.hint == "choose another file"
    assert sorted(tmp_path.rglob("*")) == before
    if kind in ("long", "within a file"):
        with pytest.raises(OpsError, match=f"cannot be written: {reason}"):
            disk.write(path, "text", folders=True)
        with pytest.raises(OpsError, match=f"cannot be written: {reason}"):
            disk.create(path, "text")


def test_what_is_there_is_not_created_again(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert not disk.create(tmp_path / "link", "text")
    assert disk.create(tmp_path / "deep/new", "text")
    assert not disk.create(tmp_path / "deep/new", "other")
    assert (tmp_path / "deep/new").read_text() == "text"


# A limit on a file's size fails as a full disk does: at the second write, after a part.
FULL = """
import resource, signal, sys
from pathlib import Path
from opsctl import disk
from opsctl.errors import OpsError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for write in (disk.write, disk.create):
    try:
        write(Path(sys.argv[1], write.__name__), "x" * 1000)
    except OpsError as error:
        print(f"{error.message}; {error.hint}")
"""


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "write").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.count("cannot be written: File too large; make room") == 2, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["write"]
    assert (tmp_path / "write").read_text() == "old"


def test_no_folder_for_temporary_files_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk.temporary() == tempfile.gettempdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with pytest.raises(OpsError, match="No usable temporary directory") as caught:
        disk.temporary()
    assert "TMPDIR" in str(caught.value.hint)


# Root may write everywhere, so somebody else does.
READ_ONLY = """
import os, sys
from pathlib import Path
os.chdir(sys.argv[1])
from opsctl import disk
from opsctl.errors import OpsError
os.setgid(65534), os.setuid(65534)
disk.write(Path("writable/file"), "new")
for name in ("closed", "writable/new", "new"):
    try:
        disk.write(Path(name), "new", folders=True)
    except OpsError as error:
        print(error.message)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_single_file_that_may_be_written_is_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "writable").mkdir()
    (tmp_path / "writable/file").write_text("old")
    (tmp_path / "writable/file").chmod(0o666)
    (tmp_path / "closed").write_text("old")
    for folder in (tmp_path, *tmp_path.parents[:2], tmp_path / "writable"):
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.count("cannot be written: Permission denied") == 3, done.stderr
    assert (tmp_path / "writable/file").read_text() == "new"
    assert (tmp_path / "closed").read_text() == "old"
