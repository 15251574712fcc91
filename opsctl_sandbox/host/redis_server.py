"""The redis-server behind the cache endpoint; without one, a port where nothing listens."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from opsctl_sandbox.host import children
from opsctl_sandbox.host.redis_cluster import Node

_ATTEMPTS = 5
# ElastiCache does not allow these; here they would let other users of this machine write files.
_RESTRICTED = (
    *("ACL", "BGREWRITEAOF", "BGSAVE", "CONFIG", "DEBUG", "MODULE", "PSYNC"),
    *("REPLICAOF", "SHUTDOWN", "SLAVEOF", "SYNC"),
)
_FILE = "dump.rdb"


class RedisServer:
    """With `redis`, a server runs on `port`; without, the port is held to refuse connections."""

    def __init__(
        self,
        directory: Path,
        environ: Mapping[str, str],
        *,
        holding: bytes | None = None,
        in_cluster: bool = False,
    ) -> None:
        """Start the server in its own `directory`; with `holding`, from saved data."""
        directory.mkdir(parents=True, exist_ok=True)
        self._dump = directory / _FILE
        self._dump.unlink(missing_ok=True)
        if holding is not None:
            self._dump.write_bytes(holding)
        # A secret name, so that nobody else can make it write.
        self._save = f"SAVE-{secrets.token_hex(16)}"
        self._migrate = f"MIGRATE-{secrets.token_hex(16)}"
        self._child: subprocess.Popen[bytes] | None = None
        self._held: socket.socket | None = None
        self._in_cluster = in_cluster
        self.port, self.bus = 0, 0
        binary = shutil.which("redis-server", path=environ.get("PATH"))
        for _ in range(_ATTEMPTS if binary else 0):
            assert binary is not None
            if self._start(binary, directory, environ):
                return
        self._held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._held.bind(("127.0.0.1", 0))
        self.port = self._held.getsockname()[1]

    @property
    def redis(self) -> bool:
        return self._child is not None

    @property
    def node(self) -> Node:
        return Node(self.port, self.bus, self._migrate)

    def saved(self) -> bytes:
        """Return everything that it holds now."""
        _ask(self.port, self._save)
        return self._dump.read_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._child is not None:
            children.end(self._child, within=2.0)
        if self._held is not None:
            self._held.close()

    def _start(self, binary: str, directory: Path, environ: Mapping[str, str]) -> bool:
        """Start on a port that was just free.

        Returns False when somebody else took the port first.
        """
        port, bus = _free_port(), _free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
        quiet = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        quiet += ["--rename-command", "SAVE", self._save]
        quiet += ["--rename-command", "MIGRATE", self._migrate]
        for command in _RESTRICTED:
            quiet += ["--rename-command", command, ""]
        if self._in_cluster:
            quiet += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            quiet += ["--cluster-require-full-coverage", "no"]
            # Otherwise one that gave its last slot away becomes a replica by itself.
            quiet += ["--cluster-allow-replica-migration", "no"]
        with (directory / "redis.log").open("ab") as log:
            child = children.spawn(
                [binary, *options, *quiet], environ=environ, directory=directory, output=log
            )
        while child.poll() is None:
            if _answers(port):
                self._child, self.port, self.bus = child, port, bus
                return True
            time.sleep(0.01)
        return False


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        return _ask(port, "PING").startswith(b"+PONG")
    except OSError:
        return False


def _ask(port: int, command: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(64)
