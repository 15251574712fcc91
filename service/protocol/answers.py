"""Write a response as the bytes that uvicorn would write, header by header."""

from http import HTTPStatus

from service.chain import Request, Response
from service.front.application import CONTROLS

_NO_BODY = (204, 304)
# One format for all: each further `%` is another copy.
_WITH_BODY = b"%b%bx-request-id: %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode()
    for status in range(100, 600)
}


class Answers:
    """`_common` caches the headers of every response; uvicorn makes a new list each second."""

    def __init__(self) -> None:
        self._common: tuple[object, bytes] = (None, b"")

    def bytes_of(
        self,
        response: Response,
        request: Request,
        common: list[tuple[bytes, bytes]],
        keep_alive: bool,
    ) -> bytes:
        if common is not self._common[0]:
            self._common = common, b"".join([b"%b: %b\r\n" % header for header in common])
        written = self._common[1]
        start, lines, id = _STATUS_LINES[response.status], b"", request.id.encode()
        if response.headers:  # most responses have none
            lines = b"".join(
                [b"%b: %b\r\n" % (n, v.translate(None, CONTROLS)) for n, v in response.headers]
            )
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        if response.status in _NO_BODY:
            return b"%b%bx-request-id: %b\r\n%b%b" % (start, written, id, lines, end)
        body = response.body
        length = len(body)
        if request.method == "HEAD":
            body = b""
        return _WITH_BODY % (start, written, id, lines, response.content_type, length, end, body)
