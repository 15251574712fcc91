"""How to add a library to the running installation."""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path


def adding(requirement: str, prefix: Path | None = None) -> str:
    """Return the command that adds it. pipx and uv leave a file in what they install."""
    prefix = prefix or Path(sys.prefix)
    wanted, python = shlex.quote(requirement), shlex.quote(sys.executable)
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx inject {shlex.quote(prefix.name)} {wanted}"
    if (prefix / "uv-receipt.toml").exists() or find_spec("pip") is None:
        return f"uv pip install --python {python} {wanted}"
    return f"{python} -m pip install {wanted}"
