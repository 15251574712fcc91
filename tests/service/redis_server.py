"""A real Redis on a free port of the loopback and a Unix socket."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Redis:
    process: subprocess.Popen[bytes]
    port: int
    path: Path
    address: str


def start_redis(folder: Path, *options: str, port: int = 0) -> Redis:
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    if not port:
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
    (path := folder / "redis.sock").unlink(missing_ok=True)
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--unixsocket", str(path), "--dir", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return Redis(process, port, path, f"127.0.0.1:{port}")


async def ask(server: Redis, *command: str) -> str:
    """What redis-cli would print, from a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write((" ".join(command) + "\r\n").encode())
    try:
        head = (await reader.readline()).decode().strip()
        if head.startswith("$"):
            return (await reader.readexactly(int(head[1:]) + 2)).decode()
        return head
    finally:
        writer.close()
