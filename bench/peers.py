"""wrk and webdis: from the system where it has them, else unpacked from Debian's packages.

Unpacked and not installed: that needs no privilege, and starts no service.
"""

import os
import shutil
import subprocess
from pathlib import Path

TOOLS = ("wrk", "webdis")
# Those that a plain system lacks.
LIBRARIES = ("libluajit-5.1-2", "libluajit-5.1-common", "libhiredis0.14", "libb64-0d")


def find() -> None:
    """Put both on this process's PATH; raises RuntimeError when they cannot be had."""
    if all(map(shutil.which, TOOLS)):
        return
    folder = Path(os.environ.get("BENCH_PEERS", ".venv-bench-peers")).absolute()
    if not (folder / "usr" / "bin" / "webdis").exists():
        _unpack(folder)
    libraries = next(folder.glob("usr/lib/*-linux-gnu"))
    os.environ["PATH"] = f"{folder / 'usr' / 'bin'}:{os.environ['PATH']}"
    before = os.environ.get("LD_LIBRARY_PATH", "")
    os.environ["LD_LIBRARY_PATH"] = f"{libraries}:{before}".rstrip(":")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is missing; install it: apt-get install {tool}")


def _unpack(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
    done = subprocess.run(
        ["apt-get", "download", "-qq", *TOOLS, *LIBRARIES],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"wrk and webdis cannot be had here: {done.stderr.strip()}")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
        package.unlink()
