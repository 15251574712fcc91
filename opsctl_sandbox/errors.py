"""Errors of the sandbox: one sentence, and the next command.

`exit_code` follows docs/exit-codes.md: `opsctl sandbox` and `opsctl rehearse` pass it on.
"""


class SandboxError(Exception):
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SandboxError):
    """An invalid option, name or rehearsal file."""

    exit_code = 2


class EngineError(SandboxError):
    """The Docker engine does not answer or cannot run the tasks."""


class NotReady(SandboxError):
    """The server is still starting, or hangs, after the time that it is given."""

    exit_code = 4
