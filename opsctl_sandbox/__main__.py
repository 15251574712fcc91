"""The sandbox as a program: `python -m opsctl_sandbox COMMAND` prints one JSON object per line.

`opsctl sandbox` and `opsctl rehearse` run it as a process and show what it writes. `serve` is the
server that `up` starts in the background; people do not call it.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from opsctl_sandbox import images
from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from opsctl_sandbox.rehearsals import rehearsal
from opsctl_sandbox.rehearsals.rehearsal import Rehearsal

Object = Mapping[str, Any]
_DEFAULTS = Settings()
# Ctrl-C, a pipeline that is cancelled, a terminal that is closed: all of them reach every process.
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(options: argparse.Namespace) -> Iterator[Object]:
    settings = Settings(
        name=options.name,
        region=options.region,
        tasks=options.tasks,
        max_processes=options.max_processes,
        speed=options.speed,
        seed=options.seed,
    )
    for event in lifecycle.up(_home(options), settings, os.environ, port=options.port):
        yield _step(event.message)
        if event.sandbox is not None:
            yield _described(event.sandbox)


def down(options: argparse.Namespace) -> Iterator[Object]:
    for event in lifecycle.down(_home(options)):
        yield _step(event.message)


def status(options: argparse.Namespace) -> Iterator[Object]:
    yield _described(lifecycle.running(_home(options)))


def env(options: argparse.Namespace) -> Iterator[Object]:
    values = environment.variables(lifecycle.running(_home(options)))
    yield {"type": "environment", "values": values, "exports": environment.exports(values)}


def image(options: argparse.Namespace) -> Iterator[Object]:
    """Pack the service of the directory, else the one installed with this package."""
    sandbox = lifecycle.running(_home(options))
    given = Path(options.service)
    service = given if given.is_dir() else images.service_sources()
    caddyfile, secrets = Path(options.caddyfile), Path(options.secrets)
    packed = images.pack(service, caddyfile.read_text(), secrets=secrets.read_bytes())
    registry = images.Registry(sandbox.endpoint, sandbox.keys.registry)
    tag = options.tag or packed.digest[7:19]
    reference = registry.push(options.repository, packed, tag=tag)
    yield {"type": "packed_image", "reference": reference, "tag": tag}


def rehearsals(options: argparse.Namespace) -> Iterator[Object]:
    yield from map(_listed, rehearsal.every())


def rehearse(options: argparse.Namespace) -> Iterator[Object]:
    chosen = rehearsal.load(options.scenario)
    yield _listed(chosen)
    with tempfile.TemporaryDirectory(prefix="opsctl-rehearsal-") as folder:
        events = rehearsal.run(chosen, Path(folder), os.environ, json=options.json)
        with closing(events):
            for event in events:
                yield {"type": "rehearsal_event", **vars(event)}


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["serve"]:
        from opsctl_sandbox.process import server

        content, listener, report = arguments[1:]
        return server.main(content, int(listener), int(report))
    options = _parser().parse_args(arguments)
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt_once)
    try:
        with closing(options.run(options)) as items:
            for item in items:
                _write(item)
    except SandboxError as error:
        _write({"type": "error", "message": error.message, "hint": error.hint})
        return error.exit_code
    except (BrokenPipeError, KeyboardInterrupt):  # the reader left, or Ctrl-C
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = f"a file of the sandbox cannot be read or written: {where}{error.strerror}"
        hint = "make room, or set TMPDIR to a folder that may be written"
        _write({"type": "error", "message": reason, "hint": hint})
        return 1
    return 0


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Ignore a second Ctrl-C, or the same one sent by `opsctl`, during the clean-up."""
    for one in _ENDS:
        # Not SIG_IGN: Python complains of a signal that is already on its way to a handler.
        signal.signal(one, lambda *_: None)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m opsctl_sandbox")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run in (up, down, status, env, image):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        command.add_argument("--name", default=_DEFAULTS.name)
        if run is up:
            _add_settings(command)
        if run is image:
            for option in ("repository", "service", "caddyfile", "secrets", "tag"):
                command.add_argument(f"--{option}", required=True)
    commands.add_parser("rehearsals").set_defaults(run=rehearsals)
    command = commands.add_parser("rehearse")
    command.set_defaults(run=rehearse)
    command.add_argument("scenario")
    command.add_argument("--json", action="store_true", help="run the command with --json")
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=0)
    command.add_argument("--region", default=_DEFAULTS.region)
    command.add_argument("--tasks", default=_DEFAULTS.tasks)
    command.add_argument("--max-processes", type=int, default=_DEFAULTS.max_processes)
    command.add_argument("--speed", type=float, default=_DEFAULTS.speed)
    command.add_argument("--seed", type=int, default=_DEFAULTS.seed)


def _home(options: argparse.Namespace) -> Home:
    return Home(Path.cwd(), options.name)


def _write(item: Object) -> None:
    sys.stdout.write(json.dumps(item) + "\n")
    sys.stdout.flush()


def _step(message: str) -> Object:
    return {"type": "step", "message": message}


def _listed(one: Rehearsal) -> Object:
    return {
        "type": "rehearsal",
        "name": one.name,
        "tells": one.tells,
        "cause": one.cause,
        "command": list(one.command),
        "file": str(one.file),
    }


def _described(sandbox: Sandbox) -> Object:
    settings = asdict(sandbox.settings)
    return {
        "type": "sandbox",
        "name": settings["name"],
        "endpoint": sandbox.endpoint,
        "pid": sandbox.pid,
        "cache": f"127.0.0.1:{sandbox.cache_port}",
        "redis": sandbox.redis,
        "tasks": settings["tasks"],
        "engine": sandbox.engine,
        "speed": settings["speed"],
        "region": settings["region"],
        "account": settings["account"],
        "started_at": sandbox.started_at,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
