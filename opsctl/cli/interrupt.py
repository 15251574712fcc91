"""Ctrl-C during work that AWS goes on with: asked once, never guessed."""

from enum import Enum

from opsctl.cli.screens.console import Console


class Choice(Enum):
    DETACH = "d"
    CANCEL = "c"
    WAIT = "w"


def ask(console: Console, what: str) -> Choice:
    """Without a terminal the answer is to detach, said aloud; so is a second Ctrl-C."""
    if not console.interactive:
        console.say(f"{what}: interrupted without a terminal, so it is left running")
        return Choice.DETACH
    console.say(f"\n{what}: [d]etach and leave it running, [c]ancel it, or [w]ait on?")
    while True:
        try:
            answer = console.ask("d/c/w ").strip().lower()[:1]
        except KeyboardInterrupt:
            return Choice.DETACH
        if answer in ("d", "c", "w"):
            return Choice(answer)
        if not answer:
            return Choice.WAIT
