"""Ask what Ctrl-C means while AWS works on."""

from enum import Enum

from opsctl.cli.screens.console import Console
from opsctl.procedure import Waiting


class Choice(Enum):
    DETACH = "d"
    CANCEL = "c"
    WAIT = "w"


def ask(console: Console, waiting: Waiting) -> Choice:
    """Ask. Without a terminal, and on a second Ctrl-C, detach and say so."""
    subject, cancellable = waiting.subject, waiting.cancellable
    if not console.interactive:
        left = "is left running" if waiting.alone else "stops half-way"
        console.say(f"{subject}: interrupted without a terminal, so it {left}")
        return Choice.DETACH
    leave = "leave it running" if waiting.alone else "leave it half-way"
    cancel = "[c]ancel it, " if cancellable else ""
    console.say(f"\n{subject}: [d]etach and {leave}, {cancel}or [w]ait on?")
    letters = "d/c/w" if cancellable else "d/w"
    while True:
        try:
            answer = console.ask(f"{letters} ").strip().lower()[:1]
        except KeyboardInterrupt:
            return Choice.DETACH
        if answer in letters.split("/"):
            return Choice(answer)
        if not answer:
            return Choice.WAIT
