"""`python -m service adapt|check|run`: the only place of the service that prints or exits."""

import argparse
import os
import sys
from pathlib import Path

from service.errors import CaddyfileError, ServiceError


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except ServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - talk goes to stderr
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    adapt = commands.add_parser("adapt", help="print a Caddyfile as JSON in Caddy v1's shape")
    adapt.add_argument("file", metavar="FILE")
    adapt.set_defaults(command=_adapt)
    check = commands.add_parser("check", help="parse and validate a Caddyfile, without network")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(command=_check)
    return parser


def _adapt(arguments: argparse.Namespace) -> int:
    from service.adapt import adapt
    from service.caddyfile import parse

    text = adapt(parse(read(arguments.file), arguments.file, environment=os.environ))
    sys.stdout.buffer.write(text.encode() + b"\n")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from service import directives
    from service.caddyfile import parse

    directives.plan(parse(read(arguments.file), arguments.file, environment=os.environ))
    return 0


def read(path: str) -> str:
    """The text of a Caddyfile. As in v1, a byte that is not UTF-8 reads as U+FFFD."""
    from service.caddyfile.lexer import decode

    try:
        return decode(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaddyfileError(f"cannot be read: {reason}", file=path, line=0) from error


if __name__ == "__main__":
    sys.exit(main())
