"""Files: read up to a limit, and written completely or not at all."""

import errno
import os
import select
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from opsctl.errors import OpsError

# The disk is full, the quota is used up, the file is too large, the device fails.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_ELSEWHERE = "choose another folder, in which you may write"
ROOM = "make room, then run the same command again"
# A read-only folder, or a single file that is mounted into a container.
_ONLY_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})


def read(path: Path, most: int, *, silence: float = 5.0) -> bytes:
    """Return up to so many bytes of a file, a device or a pipe. Raises OSError as `opened` does."""
    with opened(path, silence=silence) as content:
        return content.read(most)


def opened(path: Path, *, silence: float = 5.0) -> BinaryIO:
    """Open a file to read it. Raises OSError, also for a pipe that is silent for `silence` seconds.

    Without this, a pipe that nobody writes into is waited for without end.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(file).st_mode) and not select.select([file], [], [], silence)[0]:
        os.close(file)
        raise TimeoutError(errno.ETIMEDOUT, "nobody writes into this pipe")
    os.set_blocking(file, True)
    return open(file, "rb")


def real(path: Path) -> Path:
    """Return where it leads to. Path.resolve raises RuntimeError for a loop of links."""
    return Path(os.path.realpath(path))


def write(
    path: Path,
    content: str | bytes,
    *,
    private: bool = False,
    folders: bool = False,
    hint: str = "choose another file",
) -> None:
    """Replace the content of the file; text is written as UTF-8.

    `private` makes it readable only for its owner; `folders` creates its folders.
    It is replaced in one step, so a full disk or a kill leaves the old content. Raises
    OpsError, also for a pipe that nobody reads from.
    """
    data = content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
    try:
        if folders:
            _make_folder(path.parent)
        _write(path, data, private)
    except OSError as error:
        raise _cannot(path, error, hint) from error


def create(path: Path, text: str) -> bool:
    """Write a new file, and create its folders. Return False if the name is taken.

    A link takes the name, too, even a broken one. Raises OpsError, and leaves no partial file then.
    """
    try:
        _make_folder(path.parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    except OSError as error:
        raise _cannot(path, error, _ELSEWHERE) from error
    try:
        _fill(file, text.encode())
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError):
            raise _cannot(path, error, _ELSEWHERE) from error
        raise
    return True


def temporary() -> str:
    """Return the folder for temporary files. Raises OpsError if none is writable."""
    import tempfile  # imported here because few commands need it

    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise OpsError(
            f"no temporary file can be written: {error.strerror}",
            hint="make room in /tmp, or set TMPDIR to a folder that may be written",
        ) from error


def _cannot(path: Path, error: OSError, hint: str) -> OpsError:
    return OpsError(
        f"`{path}` cannot be written: {error.strerror}",
        hint=ROOM if error.errno in FULL else hint,
    )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a file, or a broken link
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _write(path: Path, data: bytes, private: bool) -> None:
    mode = 0o600 if private else 0o666
    try:
        now = os.stat(path)
    except FileNotFoundError:
        now = None
    if now is not None:
        if stat.S_ISDIR(now.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # A device, a pipe, another user's file, or one with a second link is not replaced.
        same = stat.S_ISREG(now.st_mode) and now.st_nlink == 1 and now.st_uid == os.geteuid()
        if not (same and os.access(path, os.W_OK)):
            return _overwrite(path, data, private)
        mode = 0o600 if private else stat.S_IMODE(now.st_mode)
    try:
        _replace(path, data, mode, keep=now is not None)
    except OSError as error:
        if now is None or error.errno not in _ONLY_THE_FILE:
            raise
        _overwrite(path, data, private)


def _replace(path: Path, data: bytes, mode: int, *, keep: bool) -> None:
    """Write a new file beside it and rename that. Behind a link, the link's target is replaced."""
    path = Path(os.path.realpath(path))
    new = path.with_name(f".opsctl-{os.urandom(6).hex()}")
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        if keep:
            os.fchmod(file, mode)
        _fill(file, data)
        os.replace(new, path)
    except BaseException:
        with suppress(FileNotFoundError):
            new.unlink()
        raise


def _overwrite(path: Path, data: bytes, private: bool) -> None:
    file = _open_to_write(path)
    if private:
        with suppress(OSError):  # a device, or another user's file
            os.fchmod(file, 0o600)
    _fill(file, data)


def _open_to_write(path: Path) -> int:
    """Open it at once: for a pipe the system would wait until somebody reads from it."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO and path.is_fifo():
            raise OSError(errno.ENXIO, "nobody reads from this pipe") from None
        raise
    os.set_blocking(file, True)
    return file


def _fill(file: int, data: bytes) -> None:
    """Write everything, then close: on a full disk one write may be partial, and the next fail."""
    with open(file, "wb", buffering=0) as out:
        left = memoryview(data)
        while left:
            left = left[out.write(left) :]
