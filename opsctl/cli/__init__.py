"""The table of commands, and the one place where an error becomes a sentence and an exit code.

Only the module of the given command is imported. `--help` and `--version` load neither typer nor
rich nor boto3, so that they start fast.
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from opsctl.errors import AwsError, ConfigError, Detached, OpsError, TemplateError, nearest

if TYPE_CHECKING:
    from typer import Context, TyperException

    from opsctl.cli.options import Invocation

# command -> what it does. The module is `opsctl.cli.<command>` with `_` for `-`.
COMMANDS: Mapping[str, str] = {
    "init": "Write the directory of a new system",
    "config": "Check, show or describe opsctl.yaml",
    "secrets": "List, check and set the secrets that the config refers to",
    "render": "Print what would be sent; needs no network",
    "db": "Plan, apply, remove and read the database stack",
    "ecs": "Plan, apply, remove and read the service stack",
    "status": "Show the whole system on one screen, and what is wrong",
    "why": "Rank the causes of what is wrong, with evidence and a command",
    "update-tasks": "Render the Caddyfile, build, push and roll the tasks",
    "history": "Show the releases: who, when, what changed, how it ended",
    "rollback": "Bring back the last good release, or another one",
    "diff": "Compare two releases, or what runs with this directory",
    "unlock": "Remove the lock of a command that is gone",
    "logs": "Follow and list the log sources",
    "alarms": "Create, show, explain, test and back-test the alarms",
    "metrics": "Show metrics with sparklines, charts and limits",
    "doctor": "Look for what would go wrong, and say what to do",
    "iam-policy": "Print the least IAM policy of an operator, a pipeline or a reader",
    "completion": "Print the completion script of a shell",
    "sandbox": "Run a simulated AWS on this machine",
    "rehearse": "Run a command against a prepared failure",
}
_USAGE = "usage"
# The error itself names the other command; causes would add nothing.
_ELSEWHERE = "someone-else-is-deploying"
_UNREAD = "nobody reads the output any more; what has begun in AWS continues there"
GLOBAL_OPTIONS = """\
  -c, --config FILE  Config file (default: opsctl.yaml, or $OPSCTL_CONFIG)
  -e, --env NAME     Overlay of `environments` to use (or $OPSCTL_ENV)
  --set KEY=VALUE    One value of the config for this run: --set db.port=6380
  --why TEXT         A reason, shown in the lock and in the history
  --json             One JSON object per line on stdout
  --plain            Plain lines: no colour (--no-color), no cursor movement
  --debug            Name every AWS call on stderr; secrets stay masked
  --version          Print the version
  --help             Print this help"""


def help_text() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
    return (
        "Usage: opsctl COMMAND [ARGS]...\n\n"
        "  Operate a Redis-backed HTTP service on ECS from one config file.\n\n"
        f"Commands:\n{commands}\n\n"
        f"Global options (anywhere on the line):\n{GLOBAL_OPTIONS}\n"
    )


def _folded(text: str) -> str:
    """Return the help with its right column folded, if the terminal is narrower."""
    try:
        width = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # not a terminal
        return text
    if not 40 <= width < max(map(len, text.splitlines())):
        return text
    import textwrap

    lines = []
    for line in text.splitlines():
        name, gap, about = line[2:].partition("  ")
        column = len(line) - len(about.lstrip()) if gap else 2
        lines += textwrap.wrap(line, width, subsequent_indent=" " * column) or [""]
    return "".join(f"{line}\n" for line in lines)


def version() -> str:
    from importlib.metadata import version as installed

    try:
        return installed("opsctl-ecs")
    except ImportError:
        return "0+checkout"


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; see docs/exit-codes.md."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, terminate)
    try:
        return _main(argv)
    except BrokenPipeError:
        # The reader is gone (`| head`).
        _write_no_more()
        return 0
    except Terminated as end:
        return 128 + end.number
    except OSError as error:
        # Before any import, which would have to open a file.
        if error.errno in (errno.EMFILE, errno.ENFILE):
            sys.stderr.write("error: too many files are open\nhint: ulimit -n 1024\n")
            return 1
        from opsctl.disk import FULL, ROOM

        if error.errno not in FULL:
            raise
        _write_no_more()
        where = f" to {error.filename}" if error.filename else ""
        with suppress(OSError):  # it may be the same full disk
            sys.stderr.write(f"error: nothing more can be written{where}: {error.strerror}\n")
            sys.stderr.write(f"hint: {ROOM}\n")
        return 1


class Terminated(BaseException):
    """Raised for a signal. Like Ctrl-C, it lets every procedure clean up after itself."""

    def __init__(self, number: int) -> None:
        self.number = number


def terminate(number: int, frame: FrameType | None) -> None:
    # A second signal ends the process at once.
    signal.signal(number, signal.SIG_DFL)
    raise Terminated(number)


def _write_no_more(stream: TextIO | None = None) -> None:
    """Discard the buffer of a stream (stdout), which would fail again at the interpreter's exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def _main(argv: Sequence[str]) -> int:
    if shell := os.environ.get("_OPSCTL_COMPLETE"):
        from opsctl.cli.complete import complete

        lines, code = complete(shell, argv, os.environ)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        return code
    words = [word for word in argv if not word.startswith("-")]
    if not words and ("--version" in argv):
        sys.stdout.write(f"opsctl {version()}\n")
        sys.stdout.flush()
        return 0
    if not argv or argv == ["-h"] or (not words and "--help" in argv):
        sys.stdout.write(_folded(help_text()))
        sys.stdout.flush()
        return 0 if argv else 2
    from opsctl.cli.options import Invocation

    try:
        _require_directory()
        invocation, rest = Invocation.parse(argv, os.environ)
    except OpsError as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint or 'opsctl --help'}\n")
        from opsctl.cli.complete import only_plans

        return 64 if only_plans(argv) else error.exit_code
    return run_command(invocation, rest)


def _require_directory() -> None:
    """Raise OpsError when somebody removed the current directory."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise OpsError("the current directory does not exist any more", hint="cd") from None


def run_command(invocation: "Invocation", rest: Sequence[str]) -> int:
    """Run the command and record its end, if the command is recorded."""
    from opsctl.cli import recording

    invocation.words = rest
    ending = "interrupted"
    try:
        code = _run(invocation, rest)
        ending = "done" if code == 0 else "failed"
        return code
    except OpsError as error:
        ending = "failed"
        return _refused(invocation, error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        if invocation.recorder is None and not invocation.planning:
            raise
        # Neither a change nor a plan is at its end, so that 0 would be untrue.
        _write_no_more()
        return _refused(invocation, Detached(_UNREAD, hint="opsctl status"))
    except Exception as error:
        ending = "failed"
        if "botocore" not in sys.modules:
            raise
        from opsctl import aws

        translated = aws.translate(error)
        if translated is None:
            raise
        return _refused(invocation, translated)
    finally:
        recording.end(invocation, ending)
        _tell_pipeline(invocation)


def _tell_pipeline(invocation: "Invocation") -> None:
    pipeline = invocation.console.pipeline
    if pipeline is None:
        return
    real = "AWS_ENDPOINT_URL" not in invocation.environ
    region = invocation.clients.region if real and "clients" in vars(invocation) else ""
    try:
        pipeline.end(invocation.line, region)
    except OSError as error:
        invocation.console.say(f"the step summary cannot be written: {error.strerror}")


def _refused(invocation: "Invocation", error: OpsError) -> int:
    """Print the error, before it the cause, and return the exit code."""
    from opsctl.cli import recording

    if isinstance(error, (ConfigError, TemplateError)) and invocation.planning:
        error.exit_code = 64  # here 2 means that something would change
    error.hint = error.hint or _next(error, invocation.words)
    # A usage error started nothing, so there is nothing to record.
    recorder = recording.failed(invocation, error) if error.cause != _USAGE else None
    # What a person ends did not fail.
    shown = error.cause != _ELSEWHERE and not isinstance(error, Detached)
    try:
        if recorder is not None and not recorder.explained and shown:
            from opsctl.cli.screens import causes

            causes.show_failure(invocation.console, recorder.causes(), error.message)
        invocation.console.error(error)
    except BrokenPipeError:  # it is an error, although nobody reads it
        for stream in (sys.stdout, sys.stderr):
            _write_no_more(stream)
    return error.exit_code


def _next(error: OpsError, words: Sequence[str]) -> str | None:
    """Return a hint for an error that has none of its own."""
    if isinstance(error, AwsError):
        return "opsctl doctor" if words[:1] != ["doctor"] else None
    if not isinstance(error, ConfigError):
        return None
    from opsctl.cli.complete import command

    return " ".join(["opsctl", *command(words), "--help"])


def _run(invocation: "Invocation", rest: Sequence[str]) -> int:
    if rest[:1] == ["--help"]:
        rest = [*rest[1:], "--help"]  # it may stand anywhere
    name, *arguments = rest or ["--help"]
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        raise ConfigError(
            f"there is no {'option' if name.startswith('-') else 'command'} `{name}`",
            hint=f"opsctl {near}" if near else "opsctl --help",
        )
    import typer

    module = import_module(f"opsctl.cli.{name.replace('-', '_')}")
    command = typer.main.get_command(module.app)
    try:
        result = command.main(
            args=list(arguments), prog_name=f"opsctl {name}", standalone_mode=False, obj=invocation
        )
    except typer.Abort:
        return 130
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        return _usage(invocation, name, error)
    except SystemExit as error:
        # On a closed pipe typer ends the process itself, with exit code 1.
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        raise
    return result if isinstance(result, int) else 0


def _usage(invocation: "Invocation", name: str, error: "TyperException") -> int:
    """Raise ConfigError for a usage error, or print the help of a command group."""
    context: Context | None = getattr(error, "ctx", None)
    message = error.format_message()
    if context is not None and message == context.get_help():
        sys.stderr.write(message + "\n")
        return error.exit_code
    if context is not None and _plans(context, invocation.words):
        invocation.planning = True
    path = context.command_path if context is not None else f"opsctl {name}"
    raise ConfigError(_lower(message), hint=f"{path} --help", cause=_USAGE)


def _plans(context: "Context", words: Sequence[str]) -> bool:
    """Return whether this invalid command line asks only what would change."""
    takes = {name for parameter in context.command.params for name in parameter.opts}
    return context.command.name in ("plan", "diff") or "--dry-run" in takes & set(words)


def _lower(sentence: str) -> str:
    """Return typer's sentence in our style: `no such option: --x`."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
