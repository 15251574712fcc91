import os
import socket
import tarfile
from pathlib import Path

import pytest

from opsctl.config.model import Image
from opsctl.errors import DockerError
from opsctl.images import context


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "app.py").write_text("one\n")
    (tmp_path / ".secrets.yml").write_text("refresh_token: canary\n")
    (tmp_path / ".dockerignore").write_text("*\n!service\n!Caddyfile\n")
    return tmp_path


def digest(directory: Path, image: Image | None = None, **generated: bytes) -> str:
    return context.load(image or Image(), directory, generated).digest


def test_the_same_files_have_the_same_digest_and_archive(directory: Path) -> None:
    first = context.load(Image(), directory, {"Caddyfile": b":80\n"})
    (directory / "service" / "app.py").touch()
    second = context.load(Image(), directory, {"Caddyfile": b":80\n"})
    with first.archive() as one, second.archive() as other:
        assert one.read() == other.read()
    assert first.digest == second.digest


def test_whatever_decides_the_image_changes_the_digest(directory: Path) -> None:
    seen = {digest(directory, Caddyfile=b":80\n"), digest(directory, Caddyfile=b":81\n")}
    seen.add(digest(directory, Image(build_args={"A": "1"}), Caddyfile=b":80\n"))
    seen.add(digest(directory, Image(target="opsctl"), Caddyfile=b":80\n"))
    (directory / "service" / "app.py").chmod(0o755)
    seen.add(digest(directory, Caddyfile=b":80\n"))
    (directory / "service" / "app.py").write_text("two\n")
    seen.add(digest(directory, Caddyfile=b":80\n"))
    (directory / "service" / "more.py").write_text("")
    seen.add(digest(directory, Caddyfile=b":80\n"))
    assert len(seen) == 7


def test_what_dockerignore_keeps_out_is_neither_sent_nor_counted(directory: Path) -> None:
    before = context.load(Image(), directory, {})
    (directory / "notes.txt").write_text("not mine to ship")
    after = context.load(Image(), directory, {})
    with after.archive() as file, tarfile.open(fileobj=file) as archive:
        names = archive.getnames()
    assert before.digest == after.digest
    assert "notes.txt" not in names and ".secrets.yml" not in names
    assert {"Dockerfile", "service/app.py"} <= set(names)


def test_names_and_patterns_need_not_be_utf_8(directory: Path) -> None:
    odd = Path(os.fsdecode(b"service/\xff.py"))
    (directory / odd).write_text("odd")
    (directory / "service/link").symlink_to(odd.name)
    whole = digest(directory)
    with (directory / ".dockerignore").open("ab") as file:
        file.write(b"service/\xff.py\n")
    found = context.load(Image(), directory, {})
    assert found.digest != whole and str(odd) not in found.paths and "service/link" in found.paths
    with found.archive() as file:
        assert file.read(1)


def test_a_socket_among_the_files_is_left_out(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)  # the path of a socket may be 107 bytes long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("service/socket")
        loaded = context.load(Image(), directory, {})
        with loaded.archive() as file, tarfile.open(fileobj=file) as archive:
            assert "service/socket" not in archive.getnames()


def test_what_cannot_be_read_is_a_sentence(directory: Path) -> None:
    (directory / ".dockerignore").unlink()
    (directory / ".dockerignore").symlink_to("/proc/self/mem")
    with pytest.raises(DockerError, match="cannot be read: Input"):
        context.load(Image(), directory, {})


def test_a_generated_file_wins_over_the_one_on_disk(directory: Path) -> None:
    (directory / "Caddyfile").write_text("stale")
    found = context.load(Image(), directory, {"Caddyfile": b"fresh"})
    with found.archive() as file, tarfile.open(fileobj=file) as archive:
        member = archive.extractfile("Caddyfile")
        assert archive.getnames().count("Caddyfile") == 1
        assert member is not None and member.read() == b"fresh"


def test_a_lost_dockerfile_is_said_with_the_key_that_names_it(directory: Path) -> None:
    with pytest.raises(DockerError, match="there is no `Lost` in"):
        context.load(Image(dockerfile="Lost"), directory, {})
