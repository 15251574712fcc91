"""Remember security contexts by token: in memory, and on disk for other workers and the next start.

File names are hashes, and no token is stored. The disk is optional: a directory that cannot be
used, a full disk or a damaged file cause more calls, but no refused request.
"""

import asyncio
import base64
import binascii
import fcntl
import hashlib
import os
import re
import struct
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

FOLDER = "reauth-contexts"
_MAX_FILE = 4 * 1024 * 1024
_TEMPORARY_AGE = 3600.0
_OURS = re.compile(r"[0-9a-f]{64}\.json|\.context-[a-z0-9_]+\.tmp")


@dataclass(frozen=True, slots=True)
class Entry:
    """`value` may be used until `fresh_until`, without a server until `usable_until`."""

    value: Mapping[str, Any]
    fresh_until: float
    usable_until: float


def token_expiry(token: bytes) -> float | None:
    """Return the unverified `exp` of a JWT, which can only shorten what the server granted."""
    parts = token.split(b".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4))
        claims = orjson.loads(payload)
    except (binascii.Error, ValueError):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    return float(expiry)


def entry(
    value: Mapping[str, Any], token: bytes, *, now: float, lifetime: float, stale: float = 0.0
) -> Entry:
    """Return an entry for `lifetime` seconds, and `stale` more, at most until the token expires."""
    expiry = token_expiry(token)
    if expiry is None:
        return Entry(value, now + lifetime, now + lifetime + stale)
    return Entry(value, min(now + lifetime, expiry), min(now + lifetime + stale, expiry))


class Memory:
    """The most recently used entries of this process. A hit makes no system call.

    Limited in number and in weight, which is the memory that keys and values take.
    """

    def __init__(
        self,
        capacity: int = 4096,
        max_weight: int = 16 * 1024 * 1024,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._capacity = capacity
        self._max_weight = max_weight
        self._now = now
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._weights: dict[bytes, int] = {}
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, key: bytes) -> Mapping[str, Any] | None:
        kept = self._entries.get(key)
        if kept is None or kept.fresh_until <= self._now():
            return None
        self._entries.move_to_end(key)
        return kept.value

    def usable(self, key: bytes) -> Entry | None:
        kept = self._entries.get(key)
        if kept is None or kept.usable_until <= self._now():
            return None
        return kept

    def remember(self, key: bytes, kept: Entry) -> None:
        self.forget(key)
        weight = _weight(key, kept.value)
        if weight > self._max_weight:
            return
        self._entries[key] = kept
        self._weights[key] = weight
        self._weight += weight
        while len(self._entries) > self._capacity or self._weight > self._max_weight:
            self.forget(next(iter(self._entries)))

    def forget(self, key: bytes) -> None:
        if self._entries.pop(key, None) is not None:
            self._weight -= self._weights.pop(key)


def _weight(key: bytes, value: Mapping[str, Any]) -> int:
    """Return about how many bytes of memory it takes: five to twenty times its JSON text."""
    total = 400 + len(key)
    unseen: list[Any] = [value]
    while unseen:
        one = unseen.pop()
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            unseen += one.keys()
            unseen += one.values()
        elif isinstance(one, list):
            unseen += one
    return total


def _lock(file: int, kind: int, byte: int) -> None:
    """Lock one byte. Raises BlockingIOError when another open file has locked it."""
    lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)  # struct flock of 64-bit Linux
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)


class Disk:
    """A folder of entries shared by processes. All methods except `lock` block: call them in a
    thread.

    It is a subfolder of `directory`, and removes only files with its own kind of name. `trouble`
    says why the disk is not used, or what failed last; None when all is well.
    """

    def __init__(
        self,
        directory: Path | None,
        namespace: str,
        *,
        lock_timeout: float = 60.0,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._directory = (directory or Path()) / FOLDER
        self._is_wanted = directory is not None
        self._namespace = namespace.encode()
        self._lock_timeout = lock_timeout
        self._now = now
        self._sleep = sleep
        self._lock_file: int | None = None
        self.trouble: str | None = None
        self.lock_timeouts = 0

    def open(self) -> None:
        if not self._is_wanted:
            self.trouble = "not wanted"
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._directory):
                pass  # a read-only or full disk fails here, not at the first request
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._lock_file = os.open(self._directory / "lock", flags, 0o600)
        except OSError as error:
            self.trouble = f"not used: {error.strerror}"
            return
        self.prune()

    def close(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def read(self, key: bytes) -> Entry | None:
        if self._lock_file is None:
            return None
        name = self._name(key)
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            fields = orjson.loads(self._text(self._directory / name))
            value = fields["value"]
            kept = Entry(value, float(fields["fresh_until"]), float(fields["usable_until"]))
            if isinstance(value, dict) and fields["name"] == name:
                return kept if kept.usable_until > self._now() else None
        return None

    def write(self, key: bytes, kept: Entry) -> None:
        if self._lock_file is None or kept.usable_until <= self._now():
            return
        name = self._name(key)
        fields = {
            "name": name,
            "fresh_until": kept.fresh_until,
            "usable_until": kept.usable_until,
            "value": kept.value,
        }
        try:
            file, temporary = tempfile.mkstemp(".tmp", ".context-", self._directory)
            try:
                with os.fdopen(file, "wb") as stream:
                    stream.write(orjson.dumps(fields))
                # The modification time holds the end of life, so pruning reads no file.
                os.utime(temporary, (kept.usable_until, kept.usable_until))
                os.rename(temporary, self._directory / name)
            except BaseException:
                os.unlink(temporary)
                raise
        except (OSError, OverflowError) as error:
            self.trouble = f"not written: {getattr(error, 'strerror', 'bad time')}"
        else:
            self.trouble = None

    def forget(self, key: bytes) -> None:
        if self._lock_file is not None:
            with suppress(OSError):
                os.unlink(self._directory / self._name(key))

    def prune(self) -> int:
        """Remove entries that nobody may use any more. Returns how many."""
        removed = 0
        now = self._now()
        with suppress(OSError), os.scandir(self._directory) as files:
            for file in files:
                if _OURS.fullmatch(file.name):
                    grace = _TEMPORARY_AGE if file.name.endswith(".tmp") else 0.0
                    with suppress(OSError):
                        if file.stat(follow_symlinks=False).st_mtime + grace <= now:
                            os.unlink(file.path)
                            removed += 1
        return removed

    @asynccontextmanager
    async def lock(self, key: bytes) -> AsyncIterator[bool]:
        """Lock KEY against other processes. Yields False after lock_timeout, without the lock.

        Each key locks one byte of one file, so there are no lock files to clean up, and the kernel
        releases the lock of a process that dies. The locks belong to the open file, not to the
        process: two rules of one process that share a folder exclude each other, too, and closing
        one does not release the other's locks.
        """
        if self._lock_file is None:
            yield True
            return
        byte = int(self._name(key)[:15], 16)
        deadline = time.monotonic() + self._lock_timeout
        pause = 0.005
        while not await self._locked(byte):
            if time.monotonic() >= deadline:
                self.lock_timeouts += 1
                yield False
                return
            await self._sleep(pause)
            pause = min(2 * pause, 0.1)
        try:
            yield True
        finally:
            self._unlock(byte)

    async def _locked(self, byte: int) -> bool:
        taking = asyncio.ensure_future(asyncio.to_thread(self._try_lock, byte))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The thread goes on, and nobody else would release what it takes.
            taking.add_done_callback(lambda _: self._unlock(byte))
            raise

    def _unlock(self, byte: int) -> None:
        if self._lock_file is not None:
            _lock(self._lock_file, fcntl.F_UNLCK, byte)

    def _try_lock(self, byte: int) -> bool:
        if self._lock_file is None:
            return True
        try:
            _lock(self._lock_file, fcntl.F_WRLCK, byte)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without locks: continue as if alone
            self.trouble = f"not locked: {error.strerror}"
        return True

    def _name(self, key: bytes) -> str:
        return hashlib.sha256(self._namespace + b"\0" + key).hexdigest() + ".json"

    def _text(self, path: Path) -> bytes:
        # In a shared directory such as /tmp, a file planted by somebody else must grant nothing.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise PermissionError(path)
            return stream.read(_MAX_FILE)
