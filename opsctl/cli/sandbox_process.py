"""Run the sandbox, a program of its own: `python -m opsctl_sandbox` writes one JSON object per
line.

Only `opsctl sandbox` and `opsctl rehearse` run it; nothing imports it.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from opsctl.errors import ConfigError, OpsError, TimedOut

_ERRORS: Mapping[int, type[OpsError]] = {2: ConfigError, 4: TimedOut}


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> Generator[dict[str, Any]]:
    """Yield what it writes. Raises OpsError with its message and exit code.

    When the caller stops reading, the sandbox is interrupted, and this waits until it has cleaned
    up.
    """
    if find_spec("ministack") is None:
        raise OpsError("the sandbox is not installed", hint="pipx install '.[sandbox]'")
    process = subprocess.Popen(
        [sys.executable, "-m", "opsctl_sandbox", *arguments],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    error: dict[str, Any] | None = None
    try:
        for line in process.stdout:
            item = json.loads(line)
            if item["type"] == "error":
                error = item
            else:
                yield item
        code = process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait()
    if error is not None:
        raise _ERRORS.get(code, OpsError)(error["message"], hint=error["hint"])
    if code:
        raise OpsError(
            f"the sandbox's own program ended with exit code {code}",
            hint="its last words are above; run the same command again",
        )
