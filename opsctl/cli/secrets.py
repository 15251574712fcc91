"""`opsctl secrets`: the secrets that the config refers to."""

import getpass
import sys
from typing import Annotated

import typer

from opsctl.cli import process
from opsctl.cli.options import Yes, group, opened
from opsctl.cli.run import Answers, run
from opsctl.cli.screens.console import Console
from opsctl.cli.screens.secrets import SecretsScreen
from opsctl.errors import ConfigError, Detached, OpsError
from opsctl.outcome import UNKNOWN
from opsctl.secrets import put, uses
from opsctl.secrets.put import Value
from opsctl.snapshot.snapshot import Look

_TYPED_LINE = 4095  # bytes; source: termios(3), canonical mode
app = group("The secrets that the config refers to: list, check and set them.")


@app.command("list")
def list_secrets(context: typer.Context) -> None:
    """List the config's references to secrets and who reads each. Needs no network."""
    invocation = opened(context)
    SecretsScreen(invocation.console).list(uses.uses(invocation.config))


@app.command()
def check(context: typer.Context) -> int:
    """Check that each secret exists, has a value and is stored as its reader needs it.

    Exit 0 is fine, 1 would stop a release, 11 could not be looked at.
    """
    invocation = opened(context)
    now = invocation.reader(Look(frozenset({"secrets"}))).require("secrets")
    findings = list(uses.findings(invocation.config, {one.reference: one for one in now.secrets}))
    SecretsScreen(invocation.console).findings(findings)
    wrong = [one for one in findings if one.problem and not one.doubt]
    if wrong:
        raise OpsError(
            f"{len(wrong)} of {len(findings)} secrets would stop a release",
            hint=wrong[0].hint or None,
        )
    doubts = sum(one.doubt and not one.use.local for one in findings)
    if doubts:
        invocation.console.say(f"{doubts} of {len(findings)} secrets could not be looked at")
    return UNKNOWN if doubts else 0


@app.command("set", context_settings={"allow_extra_args": True})
def set_secret(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in the config.")],
    yes: Yes = False,
) -> int:
    """Write a value, typed without echo or from stdin.

    Never an argument, which others could read.
    """
    invocation = opened(context)
    if context.args:
        # typer's own error would print it once more.
        raise ConfigError(
            "a secret is never an argument: the shell keeps it, and others can read it",
            hint=f"choose another value, then: opsctl secrets set {name}",
        )
    use = uses.chosen(invocation.config, name)
    if use.local:
        put.require(invocation.config, use, Value(""))
    process.keep_memory_private()
    value = _value(invocation.console, use.reference, name)
    screen = SecretsScreen(invocation.console)
    stored = run(
        invocation,
        put.put(invocation.clients, invocation.config, use, value),
        screen,
        answers=Answers(yes),
    )
    if stored is None:
        raise Detached("nothing was written")
    return 0


def _typed(reference: str, name: str) -> Value:
    try:
        text = getpass.getpass(f"value of {reference}: ")
        again = getpass.getpass("the same again: ")
    except EOFError:
        raise Detached("no answer, so nothing was written") from None
    file = f"opsctl secrets set {name} < FILE"
    if again != text:
        raise ConfigError(
            "the two values differ, so nothing was written",
            hint=f"for a value of several lines: {file}",
        )
    # The kernel keeps no more of a line that is typed or pasted, and says nothing.
    if len(text.encode()) >= _TYPED_LINE:
        raise ConfigError(
            f"a terminal passes on {_TYPED_LINE:,} bytes at most, so the value may be cut off; "
            "nothing was written",
            hint=file,
        )
    return Value(text)


def _value(console: Console, reference: str, name: str) -> Value:
    if console.interactive:
        return _typed(reference, name)
    if sys.stdin.isatty():
        raise ConfigError(
            "the value cannot be asked for here", hint=f"opsctl secrets set {name} < FILE"
        )
    try:
        text = sys.stdin.buffer.read(1_000_000).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("the value on stdin is not UTF-8") from None
    # The line end that `echo` and editors add does not belong to the secret.
    return Value(text.removesuffix("\n").removesuffix("\r"))
