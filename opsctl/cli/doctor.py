"""`opsctl doctor`: find problems before a change meets them."""

from collections.abc import Iterator

import typer

from opsctl.cli.options import Invocation, group, opened
from opsctl.cli.screens.doctor import DoctorScreen
from opsctl.doctor import examine
from opsctl.doctor.finding import Finding
from opsctl.errors import ConfigError

app = group("Look for what would go wrong, and say what to do.")


@app.command()
def doctor(context: typer.Context) -> int:
    """Check the config, this machine and the account; each finding has its fix.

    Exit 0 is fine, 10 has warnings, 1 would stop a release. Nothing is changed.
    """
    invocation = opened(context)
    screen = DoctorScreen(invocation.console)
    for finding in _findings(invocation):
        screen.show(finding)
    return screen.end()


def _findings(invocation: Invocation) -> Iterator[Finding]:
    try:
        loaded = invocation.loaded
    except ConfigError as error:
        for line in error.findings or [error.message]:
            yield Finding("config", "blocking", line, error.hint or "")
        return
    yield from examine.config(loaded)
    yield from examine.machine(loaded, invocation.path.parent)
    from opsctl import aws

    try:
        clients = invocation.clients
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None:
            raise
        yield Finding("account", "blocking", refusal.message, refusal.hint or "")
        return
    yield from examine.in_aws(loaded.config, clients, invocation.reader)
