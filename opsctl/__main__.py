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
    try:
        from opsctl.cli import main as run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while modules are still being imported
        code = 130
    # At exit the interpreter would search everything imported for cycles: a sixth of a short
    # command, for memory that is freed anyway.
    gc.freeze()
    sys.exit(code)


def _open_streams() -> None:
    """Open the standard streams that were closed before opsctl started (`<&-`) on /dev/null.

    Otherwise the next file to be opened would take the place of a closed one and get the output.
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
