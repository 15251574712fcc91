"""The process: arguments in, exit code out."""

import gc
import os
import sys


def main() -> None:
    # Start-up allocates much and frees nothing; collecting cycles then takes a tenth of its time.
    gc.set_threshold(100_000, 20, 20)
    # Otherwise pydantic reads the metadata of every installed package to look for plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from opsctl.cli import main as run

    code = run(sys.argv[1:])
    # At exit the interpreter would search everything imported for cycles: a sixth of a short
    # command, for memory that is freed anyway.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
