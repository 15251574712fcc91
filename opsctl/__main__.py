"""The process: arguments in, exit code out."""

import sys


def main() -> None:
    from opsctl.cli import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
