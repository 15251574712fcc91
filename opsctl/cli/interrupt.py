"""Ask what Ctrl-C means while AWS works on."""

from enum import Enum

from opsctl.cli.screens.console import Console


class Choice(Enum):
    DETACH = "d"
    CANCEL = "c"
    WAIT = "w"


def ask(console: Console, subject: str, *, cancellable: bool) -> Choice:
    """Ask. Without a terminal, and on a second Ctrl-C, detach and say so."""
    if not console.interactive:
        console.say(f"{subject}: interrupted without a terminal, so it is left running")
        return Choice.DETACH
    cancel = "[c]ancel it, " if cancellable else ""
    console.say(f"\n{subject}: [d]etach and leave it running, {cancel}or [w]ait on?")
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
