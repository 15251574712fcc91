"""A sandbox's directory, and whether it runs: its server holds a lock until it dies.

The kernel releases the lock of a killed server, so a state file is never trusted by itself.
"""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from opsctl_sandbox.errors import SandboxError, UsageError
from opsctl_sandbox.process.keys import Keys

Tasks = Literal["auto", "docker", "process", "none"]


_A_LOOK = 0.5  # seconds, much longer than checking the lock takes


@dataclass(frozen=True)
class Settings:
    """A sandbox's settings. A simulated hour takes 3600 / `speed` seconds."""

    name: str = "default"
    region: str = "us-east-1"
    account: str = "123456789012"
    tasks: Tasks = "auto"
    max_processes: int = 8
    speed: float = 60.0
    seed: int = 0


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. Its `settings.tasks` is never `auto`; `because` says why it was chosen.

    Without `redis` nothing listens on `cache_port`. `engine` is where its containers run, if any.
    Whoever knows the `secret` may use it.
    """

    settings: Settings
    pid: int
    port: int
    cache_port: int
    redis: bool
    started_at: str
    secret: str
    because: str = ""
    engine: str = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> Keys:
        return Keys(self.secret, self.settings.account)


@dataclass(frozen=True)
class Home:
    """`root` is the project's directory; everything is under `.opsctl/sandbox/NAME/`."""

    root: Path
    name: str = "default"

    @property
    def path(self) -> Path:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(
                f"not a name for a sandbox: `{self.name}`", hint="use letters, digits, `-` and `_`"
            )
        return self.root.absolute() / ".opsctl" / "sandbox" / self.name

    @property
    def option(self) -> str:
        """The option that a hint needs to mean this sandbox; '' for the default one."""
        return "" if self.name == "default" else f" --name {self.name}"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    def running(self) -> Sandbox | None:
        """Return the running sandbox of this name; a killed one's state file does not count."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise SandboxError(
                f"sandbox `{self.name}` in {self.path} belongs to somebody else",
                hint="run it in a directory of your own",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            # While one starts, the state is still that of an earlier one, which was killed.
            last = self.last()
            return last if last and os.read(descriptor, 20) == _mark(last.pid) else None
        else:
            return None
        finally:
            os.close(descriptor)

    def lock(self) -> int:
        """Take the lock for this process's life. The descriptor must stay open."""
        self.make()
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        # Checking whether one runs also holds the lock, for a moment.
        deadline = time.monotonic() + _A_LOOK
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise SandboxError(
                    f"sandbox `{self.name}` is already running",
                    hint="opsctl sandbox status, or --name for a second one beside it",
                )
            time.sleep(0.001)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _mark(os.getpid()))
        return descriptor

    def make(self) -> None:
        """Create the directory for its owner alone, because it holds keys."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def write(self, sandbox: Sandbox) -> None:
        partial = self.path / "state.json.partial"
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(asdict(sandbox), indent=2) + "\n")
        partial.replace(self.path / "state.json")

    def forget(self) -> None:
        """Delete the state: the last sandbox has ended and nothing of it is left."""
        (self.path / "state.json").unlink(missing_ok=True)

    def last(self) -> Sandbox | None:
        """Return the sandbox that was started last, whether it still runs or not."""
        try:
            content = json.loads((self.path / "state.json").read_text())
            return Sandbox(**{**content, "settings": Settings(**content["settings"])})
        except (OSError, ValueError, KeyError, TypeError):
            # Missing, cut short, or written by another version: not usable.
            return None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _mark(pid: int) -> bytes:
    return b"%d\n" % pid
