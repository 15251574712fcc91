"""Files: read with an end, written whole or not at all."""

import errno
import os
import select
import stat
from contextlib import suppress
from pathlib import Path

from opsctl.errors import OpsError

# The disk is full, the quota is used up, the file may not grow, the device fails.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
ROOM = "make room, then run the same command again"
# A folder that may not be written, or a single file that is mounted into a container.
_ONLY_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})


def read(path: Path, most: int, *, silence: float = 5.0) -> bytes:
    """Up to so many bytes of a file, a device or a pipe. Raises OSError, also for a pipe that is
    silent for so many seconds.
    """
    # Opening a pipe that nobody writes into would wait for ever.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(file, "rb") as content:
        if stat.S_ISFIFO(os.fstat(file).st_mode) and not select.select([file], [], [], silence)[0]:
            raise TimeoutError(errno.ETIMEDOUT, "nobody writes into this pipe")
        os.set_blocking(file, True)
        return content.read(most)


def write(
    path: Path,
    content: str | bytes,
    *,
    private: bool = False,
    folders: bool = False,
    hint: str = "choose another file",
) -> None:
    """Put this into the file, in place of what it held; text as UTF-8.

    `private` makes it readable for its owner alone, `folders` makes the folders it lies in.
    The file is replaced in one step, so that a full disk or a kill leaves the old one. Raises
    OpsError.
    """
    data = content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
    try:
        if folders:
            _make_folder(path.parent)
        _write(path, data, private)
    except OSError as error:
        raise _cannot(path, error, hint) from error


def create(path: Path, text: str) -> bool:
    """Write a file that is not there yet, and its folders; False where its name is taken.

    A link takes the name too, wherever it leads. Raises OpsError, and then leaves no half file.
    """
    try:
        _make_folder(path.parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        _fill(file, text.encode())
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError):
            raise _cannot(path, error) from error
        raise
    return True


def temporary() -> str:
    """The folder for temporary files. Raises OpsError where none takes any."""
    import tempfile  # here: few commands need it

    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise OpsError(
            f"no temporary file can be written: {error.strerror}",
            hint="make room in /tmp, or set TMPDIR to a folder that may be written",
        ) from error


def _cannot(path: Path, error: OSError, hint: str | None = None) -> OpsError:
    return OpsError(
        f"`{path}` cannot be written: {error.strerror}",
        hint=ROOM if error.errno in FULL else hint,
    )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a file, or a link that leads nowhere
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
        # A device, a pipe, what is somebody else's or has a second name stays what it is.
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
    """Through a new file beside it; a link stays, and where it leads is replaced."""
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
    file = os.open(path, os.O_WRONLY | os.O_TRUNC)
    if private:
        with suppress(OSError):  # a device, or somebody else's
            os.fchmod(file, 0o600)
    _fill(file, data)


def _fill(file: int, data: bytes) -> None:
    """All of it, then close: a write to a full disk may take a part and fail at the next."""
    with open(file, "wb", buffering=0) as out:
        left = memoryview(data)
        while left:
            left = left[out.write(left) :]
