"""Who acts: what a lock and a release say of the command that made them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`process` is this process, told apart from every other one of every machine; '' unknown.

    `gone` says whether such a process has certainly ended; of another machine's nothing is certain.
    """

    command: str = ""
    why: str = ""
    host: str = ""
    process: str = ""
    gone: Callable[[str], bool] = lambda process: False
