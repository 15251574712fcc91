"""`opsctl logs`: follow the log sources, query and compare them, check that none is missing."""

from opsctl.cli import options
from opsctl.cli.logs import listing, query, reports, tail
from opsctl.config.sources import NAMES

app = options.group(f"Follow, query and check the log sources: {', '.join(NAMES)}.")
app.command("tail")(tail.tail)
app.command("sources")(listing.sources)
app.command("query")(query.query)
app.command("audit")(reports.audit)
app.command("lag")(reports.lag)
app.command("compare")(reports.compare)
