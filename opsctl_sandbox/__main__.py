"""The process that `sandbox up` starts; not a command for people."""

import json
import os
import socket
import sys
from pathlib import Path

from opsctl.errors import OpsError
from opsctl_sandbox.process import server
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from opsctl_sandbox.process.task_kind import choose


def main(content: str, listener: int, report: int) -> int:
    options = json.loads(content)
    settings = Settings(**options["settings"])
    home = Home(Path(options["root"]), settings.name)
    pipe = os.fdopen(report, "w")

    def tell(line: dict[str, object]) -> None:
        with pipe:
            pipe.write(json.dumps(line) + "\n")

    def ready(sandbox: Sandbox) -> None:
        tell({"pid": sandbox.pid})

    try:
        choice = choose(settings.tasks, options["engine"])
        server.run(home, settings, choice, socket.socket(fileno=listener), dict(os.environ), ready)
    except OpsError as error:
        tell({"error": error.message, "hint": error.hint})
        return error.exit_code
    except BrokenPipeError:  # nobody is there to be told
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
