"""Who acts: what locks and releases record about the command that made them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The command. `process` identifies this process among those of all machines, or is ''.

    `gone` returns whether such a process has certainly ended, which is unknown for another
    machine's.
    """

    command: str = ""
    why: str = ""
    host: str = ""
    process: str = ""
    gone: Callable[[str], bool] = lambda process: False
