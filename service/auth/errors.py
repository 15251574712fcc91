"""The two reasons why a request is not authenticated."""

from service.errors import ServiceError


class Refused(ServiceError):
    """No backend authenticates the request. The text says why, for the log."""


class Unavailable(ServiceError):
    """The auth server cannot be asked. The text says why, for the log.

    `busy` means that so many tokens were being checked that this one was dropped.
    """

    def __init__(self, message: str, *, timed_out: bool = False, busy: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.busy = busy
