"""A real Docker engine that ends with its test; see up.sh."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@contextmanager
def engine() -> Iterator[tuple[str, Path]]:
    """DOCKER_HOST of an engine that ends with the block, and the directory for `down.sh`.

    In CI its absence is a failure."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsctl-tests"
    # Not under pytest's tmp_path: a unix socket's path may have 107 characters at most.
    work = tempfile.mkdtemp(prefix="engine-")
    up = subprocess.run([_HERE / "up.sh", work, cache], capture_output=True, text=True)
    try:
        if up.returncode == 77 and os.environ.get("CI") != "true":
            pytest.skip(up.stderr.strip().splitlines()[-1])
        assert up.returncode == 0, up.stderr
        yield up.stdout.strip().removeprefix("DOCKER_HOST="), Path(work)
    finally:
        down(Path(work))


def down(work: Path) -> None:
    subprocess.run([_HERE / "down.sh", work], check=True)
