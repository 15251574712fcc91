"""The two ways in which nobody vouches for a request."""

from service.errors import ServiceError


class Refused(ServiceError):
    """Nobody vouches for this request. The text says why, for the log."""


class Unavailable(ServiceError):
    """The auth server cannot be asked. The text says why, for the log.

    `busy` when it is asked about so many tokens that this one had to give way.
    """

    def __init__(self, message: str, *, timed_out: bool = False, busy: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.busy = busy
