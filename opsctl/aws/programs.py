"""Run a profile's `credential_process`, which botocore would wait for without end."""

import json
import os
import selectors
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session

PATIENCE = 60.0  # seconds; somebody may have to type a code, or touch a key
_MOST = 1_000_000  # bytes of its output
_SHOWN = 300  # characters of what it wrote about an error


def bound(session: "Session", patience: float = PATIENCE) -> None:
    """Let the programs of this session's profiles end in time, and write what botocore can read."""
    from botocore.credentials import ProcessProvider
    from botocore.exceptions import BotoCoreError

    resolver = session.get_component("credential_provider")
    programs = _Programs(patience)
    try:
        # One of the profile itself, and those that an assumed role's source profile names.
        resolver.get_provider("custom-process")._popen = programs.start
        builder: Any = resolver.get_provider("assume-role")._profile_provider_builder
    except BotoCoreError:
        return  # the profile does not exist; the first call says so
    builder._create_process_provider = lambda profile_name: ProcessProvider(
        profile_name, lambda: session.full_config, popen=programs.start
    )


class _Programs:
    """Every client asks for the credentials: one that hung is not started again for each."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._hung: float | None = None

    def start(self, words: Any, **_: Any) -> "_Program":
        if not words:
            raise failed("credential_process is empty")
        if self._hung is not None and time.monotonic() - self._hung < self._patience:
            raise self._late()
        return _Program(words, self)

    def late(self) -> Exception:
        self._hung = time.monotonic()
        return self._late()

    @property
    def patience(self) -> float:
        return self._patience

    def _late(self) -> Exception:
        return failed(f"credential_process did not end within {self._patience:.0f} seconds")


class _Program:
    """What botocore needs of a Popen."""

    def __init__(self, words: Any, programs: _Programs) -> None:
        self._programs = programs
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.returncode = 0

    def communicate(self) -> tuple[bytes, bytes]:
        """Return its output and its errors. Raises CredentialRetrievalError for anything odd."""
        process = self._process
        assert process.stdout is not None and process.stderr is not None
        with process.stdout, process.stderr:
            try:
                said, error = self._read(process.stdout, process.stderr)
            finally:
                if process.poll() is None:
                    process.kill()
                self.returncode = process.wait()
        if self.returncode:
            words = " ".join(error.decode(errors="replace").split())
            words = words[-_SHOWN:] or f"credential_process ended with code {self.returncode}"
            return b"", words.encode()
        if wrong := _wrong(said):
            raise failed(f"credential_process {wrong}")
        return said, b""

    def _read(self, *streams: Any) -> list[bytes]:
        end = time.monotonic() + self._programs.patience
        read = [b""] * len(streams)
        with selectors.DefaultSelector() as waiting:
            for number, stream in enumerate(streams):
                waiting.register(stream, selectors.EVENT_READ, number)
            while waiting.get_map():
                left = end - time.monotonic()
                for key, _ in waiting.select(left) if left > 0 else ():
                    data = os.read(key.fd, 65536)
                    read[key.data] += data
                    if not data:
                        waiting.unregister(key.fileobj)
                if left <= 0:
                    raise self._programs.late()
                if sum(map(len, read)) > _MOST:
                    raise failed("credential_process writes without end")
            try:
                self._process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise self._programs.late() from None
        return read


def _wrong(said: bytes) -> str:
    """Return what botocore would stumble over; '' when it can be read."""
    from botocore.utils import parse_timestamp

    try:
        given = json.loads(said)
    except (ValueError, RecursionError):
        return "did not write JSON"
    if not isinstance(given, dict):
        return "did not write a JSON object"
    texts = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    for name in texts:
        if not isinstance(given.get(name, ""), (str, type(None))):
            return f"did not write `{name}` as a text"
    try:
        parse_timestamp(given.get("Expiration") or "2099-01-01T00:00:00Z")
    except (ValueError, RuntimeError, OverflowError):
        return "did not write `Expiration` as a time"
    return ""


def failed(reason: str) -> Exception:
    from botocore.exceptions import CredentialRetrievalError

    return CredentialRetrievalError(provider="the profile", error_msg=reason)
