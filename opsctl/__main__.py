"""The process: arguments in, exit code out."""

import gc
import os
import sys


def main() -> None:
    # Start-up allocates much and frees nothing: collecting cycles meanwhile costs a tenth of it.
    gc.set_threshold(50_000, 20, 20)
    # pydantic would read the metadata of every installed package to look for plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from opsctl.cli import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
