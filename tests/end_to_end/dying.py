"""`opsctl`, killed with -9 right before one of its calls, which is never made.

`python -m tests.end_to_end.dying CALL N WORDS…`: the N-th CALL, named as by `--debug`.
"""

import os
import signal
import sys
from typing import TextIO


class Deadly:
    """The stream on which the command names each call before it makes it."""

    def __init__(self, stream: TextIO, call: str, number: int) -> None:
        self._stream, self._call, self._left = stream, f"debug: {call}\n", number

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        if text == self._call:
            self._left -= 1
            if not self._left:
                self._stream.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def main() -> None:
    call, number = sys.argv[1], int(sys.argv[2])
    sys.argv = ["opsctl", "--debug", *sys.argv[3:]]
    sys.stderr = Deadly(sys.stderr, call, number)
    from opsctl.__main__ import main as opsctl

    opsctl()


if __name__ == "__main__":
    main()
