"""A response as the bytes that uvicorn would write, header for header."""

from http import HTTPStatus

from service.chain import Request, Response
from service.front.application import CONTROLS

_NO_BODY = (204, 304)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode()
    for status in range(100, 600)
}


class Answers:
    """`common` are the headers of every response; uvicorn makes a new list each second."""

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
        lines = b"%bx-request-id: %b\r\n" % (self._common[1], request.id.encode())
        for name, value in response.headers:  # most have none
            lines += b"%b: %b\r\n" % (name, value.translate(None, CONTROLS))
        start = _STATUS_LINES[response.status]
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        if response.status in _NO_BODY:
            return b"%b%b%b" % (start, lines, end)
        body = response.body
        length = len(body)
        if request.method == "HEAD":
            body = b""
        text = b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b"
        return text % (start, lines, response.content_type, length, end, body)
