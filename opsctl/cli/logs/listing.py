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

    CloudWatch may be an hour late with new streams and times.
    """
    invocation = options.opened(context)
    groups = log_sources.chosen(invocation.config.logs, [])
    status = partial(log_sources.status, invocation.clients.logs)
    statuses = together([partial(status, group) for group in groups])
    show_sources(invocation.console, statuses, datetime.now(UTC))
