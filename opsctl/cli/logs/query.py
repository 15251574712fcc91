"""`opsctl logs query`: run a query of CloudWatch Logs Insights, and say what it costs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from typer import Option

from opsctl.cli import moments, options
from opsctl.cli.logs import choosing
from opsctl.cli.screens import log_query
from opsctl.errors import ConfigError, nearest
from opsctl.logs import query as insights
from opsctl.logs import sources


def query(
    context: typer.Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="QUERY", help=f"In Insights' language, or one of {', '.join(insights.PRESETS)}."
        ),
    ],
    source: Annotated[
        list[str] | None, Option("--source", metavar="SOURCE", help="app, stdout, ecs, agent; all.")
    ] = None,
    group: choosing.Groups = None,
    since: options.Since = "1h",
    until: choosing.Until = None,
    limit: Annotated[
        int, Option(min=1, max=insights.MOST_ROWS, metavar="N", help="Rows at most.")
    ] = 100,
    local: choosing.InLocal = False,
) -> None:
    """Run a query of CloudWatch Logs Insights over the sources, and show its rows.

    It is billed by the bytes that it reads: a later --since and fewer sources cost less.
    """
    options.require_one({"--source": source, "--group": group})
    invocation, console = options.opened(context), options.opened(context).console
    # Long because of its options.
    names, insights_query = _meant(text)
    clients, now = invocation.clients, choosing.now()
    if group:
        groups = sources.matching(clients.logs, group)
    else:
        choosing.require_sources(source or ())
        groups = sources.chosen(invocation.config.logs, source or names)
    first, last = moments.span(since, until, now=now, zone=choosing.zone(local))
    start = first if isinstance(first, datetime) else now - first
    running = insights.query(
        clients,
        [one.name for one in groups],
        insights_query,
        start,
        last or now,
        limit=limit,
        sleep=invocation.sleep,
    )
    while True:
        try:
            log_query.show_progress(console, next(running))
        except StopIteration as end:
            log_query.show_rows(console, end.value)
            return


def _meant(text: str) -> tuple[Sequence[str], str]:
    """The sources of a preset and its query; a query as it is. Raises ConfigError for neither."""
    names, query = insights.PRESETS.get(text, ((), text))
    if not query.strip():
        raise ConfigError("the query is empty", hint="opsctl logs query errors")
    if query is text and len(text.split()) == 1:
        near = nearest(text, insights.PRESETS) or "errors"
        raise ConfigError(
            f"`{text}` is neither a query nor one of {', '.join(insights.PRESETS)}",
            hint=f"opsctl logs query {near}",
        )
    return names, query
