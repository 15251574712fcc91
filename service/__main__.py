"""`python -m service adapt|check|run`: the only module of the service that prints or exits.

Slow imports are made where they are used, so that `run` handles signals soon after its start.
"""

import os
import sys
from collections.abc import Callable, Sized

from service.errors import CaddyfileError, ServiceError
from service.server.supervisor import Stopped, Supervisor, block_stops, hear, is_ending

TYPE_CHECKING = False  # as in `typing`, whose import takes time
if TYPE_CHECKING:
    import argparse

    from service.server.run import Run


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] == ["run"]:
            hear()
        arguments = _parser().parse_args(words)
        status: int = arguments.command(arguments)
    except ServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - talk goes to stderr
        return 1
    except Stopped:
        return 0
    return status


def _parser() -> "argparse.ArgumentParser":
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m service", description="Serve the sites of a Caddyfile."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    adapt = commands.add_parser("adapt", help="print a Caddyfile as JSON in Caddy v1's shape")
    adapt.add_argument("file", metavar="FILE")
    adapt.set_defaults(command=_adapt)
    check = commands.add_parser("check", help="parse and validate a Caddyfile, without network")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(command=_check)
    run = commands.add_parser("run", help="serve every site of a Caddyfile on its port")
    run.add_argument("--config", metavar="FILE", default="Caddyfile")
    run.add_argument("--workers", metavar="N", type=_positive, default=1)
    run.add_argument(
        "--listen",
        metavar="SITE_PORT=HOST:PORT",
        action="append",
        help="where a site's port is bound; also SERVICE_LISTEN, separated by commas",
    )
    run.add_argument(
        "--stop-timeout",
        metavar="SECONDS",
        type=_positive,
        default=25,
        help="how long requests may finish after SIGTERM (default 25, below ECS's 30)",
    )
    run.set_defaults(command=_run)
    return parser


def _positive(text: str) -> int:
    from argparse import ArgumentTypeError

    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"'{text}' is not a number above 0")
    return int(text)


def _adapt(arguments: "argparse.Namespace") -> int:
    from service.caddyfile import parse
    from service.caddyfile.adapt import adapt

    text = adapt(parse(read(arguments.file), arguments.file, environment=os.environ))
    sys.stdout.buffer.write(text.encode() + b"\n")
    return 0


def _check(arguments: "argparse.Namespace") -> int:
    from service import directives
    from service.caddyfile import parse

    plans = directives.plan(parse(read(arguments.file), arguments.file, environment=os.environ))
    _some_site(plans, arguments.file)
    return 0


def _some_site(plans: Sized, file: str) -> None:
    """Raise CaddyfileError for an empty file.

    Caddy v1 would serve its folder; here no request would ever be answered.
    """
    if not plans:
        raise CaddyfileError("there is no site", file=file, line=1)


def _run(arguments: "argparse.Namespace") -> int:
    from service import directives
    from service.caddyfile import parse
    from service.front.mounts import Release
    from service.server import sockets
    from service.server.run import Run

    text = read(arguments.config)
    plans = directives.plan(parse(text, arguments.config, environment=os.environ))
    _some_site(plans, arguments.config)
    listen = arguments.listen or os.environ.get("SERVICE_LISTEN", "").split(",")
    bound = sockets.bind(plans, sockets.bindings([one for one in listen if one.strip()]))
    release = Release.of(
        text, version=_version(), commit=os.environ.get("SERVICE_COMMIT", "unknown")
    )
    metadata_uri = os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "")
    run = Run(plans, release, bound, arguments.stop_timeout, metadata_uri)
    where = ", ".join(
        f"{port} on {host}:{number}"
        for port, one in bound.items()
        for host, number in [one.getsockname()[:2]]
    )
    ready = _once(f"serving {arguments.config}: {where}")
    if arguments.workers == 1:
        return _work(run, ready)
    return Supervisor(arguments.workers, lambda: _work(run, ready), run.close).run()


def _once(text: str) -> Callable[[], None]:
    """Return a function that prints TEXT once, when first called in any forked process."""
    tokens, token = os.pipe()
    os.write(token, b"1")
    os.close(token)

    def say() -> None:
        if os.read(tokens, 1):
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - talk goes to stderr

    return say


def _work(run: "Run", ready: Callable[[], None]) -> int:
    import asyncio
    import logging

    import uvloop

    from service.server.run import serve

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                block_stops()  # an exception here could leave a coroutine that never began
                runner.run(serve(run, ready))
            finally:
                is_ending()
    except ServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("opsctl")
    except metadata.PackageNotFoundError:  # the image has the package without its metadata
        return "unknown"


def read(path: str) -> str:
    """Return the text of a Caddyfile. As in v1, a byte that is not UTF-8 becomes U+FFFD."""
    from pathlib import Path

    from service.caddyfile.lexer import decode

    try:
        return decode(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaddyfileError(f"cannot be read: {reason}", file=path, line=0) from error


if __name__ == "__main__":
    sys.exit(main())
