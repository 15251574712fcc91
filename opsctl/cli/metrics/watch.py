"""`opsctl metrics --watch`: look again and again."""

import shutil
import sys
import time

from opsctl import aws
from opsctl.cli.metrics.look import Metrics
from opsctl.cli.screens import metrics as screens
from opsctl.cli.screens.metrics import PIPED, MetricsScreen


def watch(metrics: Metrics, pause: int, *, as_csv: bool) -> None:
    """Repeat for ever. When AWS does not answer, say so and try again."""
    console = metrics.invocation.console
    clear, began, priced = sys.stdout.isatty() and not console.plain, False, False
    while True:
        size = shutil.get_terminal_size(PIPED)
        lines = size.lines - 1 if clear else None
        screen = MetricsScreen(
            console, metrics.groups, csv=as_csv, clear=clear, width=size.columns, lines=lines
        )
        try:
            shown = metrics.look()
        except Exception as error:
            if not (aws.may_pass(error) if began else aws.transient(error)):
                raise
            console.warn(f"{aws.translate(error) or error}; looking again in {pause}s")
        else:
            began = True
            screen.show(shown)
            if clear or not priced:
                console.say(screens.price(shown.series, pause))
                priced = True
        time.sleep(pause)
