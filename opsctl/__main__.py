"""The process: arguments in, exit code out."""

import gc
import os
import sys


def main() -> None:
    # Start-up allocates much and frees nothing: collecting cycles meanwhile costs a tenth of it.
    gc.set_threshold(100_000, 20, 20)
    # pydantic would read the metadata of every installed package to look for plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from opsctl.cli import main as run

    code = run(sys.argv[1:])
    # At its end the interpreter would look for cycles once more, in all that was imported: a
    # sixth of a short command, for memory that is given back anyhow.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
