"""Collect the files of a build, as one digest and one reproducible archive."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from opsctl import disk, docker
from opsctl.errors import DockerError

if TYPE_CHECKING:
    from opsctl.config.model import Image


@dataclass(frozen=True, slots=True)
class Context:
    """A build context. `generated` files replace files on disk.

    `base` names the base images by their digests, or is '' when unknown.
    """

    directory: Path
    paths: tuple[str, ...]
    generated: Mapping[str, bytes]
    digest: str
    base: str = ""

    def archive(self) -> IO[bytes]:
        """Return a tar without times and owners, so that the same content hits the build cache."""
        # Handed to the caller, who closes it.
        file = tempfile.TemporaryFile(dir=disk.temporary())  # noqa: SIM115
        with tarfile.open(fileobj=file, mode="w") as archive:
            for path in self.paths:
                if path not in self.generated:
                    self._add(archive, path)
            for path, content in sorted(self.generated.items()):
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
        file.seek(0)
        return file

    def _add(self, archive: tarfile.TarFile, path: str) -> None:
        source = self.directory / path
        member = archive.gettarinfo(source, arcname=path)
        if member is None:
            return  # a socket, which no archive can hold; Docker leaves it out, too
        member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
        member.mode = 0o755 if member.isdir() or _executable(source) else 0o644
        if member.isreg():
            with source.open("rb") as content:
                archive.addfile(member, content)
        else:
            archive.addfile(member)


def load(image: "Image", root: Path, generated: Mapping[str, bytes], *, base: str = "") -> Context:
    """Read and hash everything that decides the image. Raises DockerError without a Dockerfile, or
    when a file cannot be read.
    """
    try:
        return _load(image, root, generated, base)
    except OSError as error:
        raise DockerError(
            f"`{error.filename or root}` cannot be read: {error.strerror}",
            hint="make it readable, or keep it out of the image: .dockerignore",
        ) from error


def _load(image: "Image", root: Path, generated: Mapping[str, bytes], base: str) -> Context:
    directory = disk.real(root / image.context)
    if not (directory / image.dockerfile).is_file():
        raise DockerError(
            f"there is no `{image.dockerfile}` in {directory}",
            hint="set `image.dockerfile` and `image.context` in opsctl.yaml",
        )
    paths = docker.included(directory, image.dockerfile)
    whole = hashlib.sha256()
    if base:
        # A patched base image makes another image, although no file here differs.
        whole.update(f"base {base}\n".encode())
    for name, value in sorted(image.build_args.items()):
        whole.update(f"arg {name}={value}\n".encode())
    whole.update(f"{image.dockerfile} {image.target} {image.platform}\n".encode())
    for path in sorted({*paths, *generated}):
        content = generated[path] if path in generated else _content(directory / path)
        if content is not None:
            mark = "x" if path not in generated and _executable(directory / path) else "-"
            line = f"{path} {mark} {hashlib.sha256(content).hexdigest()}\n"
            whole.update(line.encode(errors="surrogateescape"))
    return Context(directory, paths, dict(generated), whole.hexdigest(), base)


def _content(path: Path) -> bytes | None:
    """Return what counts for the hash: a link's target, a file's bytes, None for a directory."""
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    return path.read_bytes() if path.is_file() else None


def _executable(path: Path) -> bool:
    return not path.is_symlink() and path.is_file() and os.access(path, os.X_OK)
