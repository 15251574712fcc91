"""The service's error tree.

CaddyfileError   the file is wrong: `FILE:LINE - message`, raised before anything is served
StartError       something is missing at start: a file, a group, a secret
FilterError      this request is answered with `status`; logged once, answered once
"""

from collections.abc import Sequence


class ServiceError(Exception):
    pass


class CaddyfileError(ServiceError):
    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        super().__init__(f"{file}:{line} - {message}" if file else message)
        self.message = message
        self.file = file
        self.line = line


class StartError(ServiceError):
    pass


class FilterError(ServiceError):
    """`detail` is sent to the client: never a token, a secret or a traceback."""

    def __init__(
        self, status: int, detail: str, *, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)
