"""`opsctl logs sources`: the log groups, and whether they exist."""

from datetime import UTC, datetime
from functools import partial

import typer

from opsctl.cli import options
from opsctl.cli.screens.logs import show_sources
from opsctl.logs import sources as log_sources
from opsctl.snapshot.together import together


def sources(context: typer.Context) -> None:
    """List the log sources: their groups, whether they exist, and their newest stream.

    CloudWatch learns of new streams and times with a delay of up to an hour.
    """
    invocation = options.opened(context)
    groups = log_sources.chosen(invocation.config.logs, [])
    status = partial(log_sources.status, invocation.clients.logs)
    statuses = together([partial(status, group) for group in groups])
    show_sources(invocation.console, statuses, datetime.now(UTC))
