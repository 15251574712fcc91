"""The process: arguments in, exit code out."""

import gc
import os
import sys


def main() -> None:
    _open_streams()
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


def _open_streams() -> None:
    """Whoever starts us may have closed some (`<&-`): nothing is read there, nothing shown.

    The first file that is opened would take the place of a closed one, and get what is printed.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


if __name__ == "__main__":
    main()
