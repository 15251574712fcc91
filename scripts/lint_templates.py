#!/usr/bin/env python3
"""Render every stack of opsctl.example.yaml and put it through cfn-lint: not one finding."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPSCTL = [sys.executable, "-m", "opsctl", "-c", str(ROOT / "opsctl.example.yaml")]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*OPSCTL, "render", "--out", folder], check=True, cwd=ROOT)
        templates = sorted(str(path) for path in Path(folder).glob("*.yaml"))
        lint = Path(sys.executable).with_name("cfn-lint")
        return subprocess.run(
            [str(lint), "--non-zero-exit-code", "informational", *templates]
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
