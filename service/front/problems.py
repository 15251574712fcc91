"""Errors as clients see them: application/problem+json (RFC 9457), without a traceback."""

from http import HTTPStatus

import orjson

from service.chain import Headers, Response
from service.errors import FilterError

CONTENT_TYPE = b"application/problem+json"


def problem(status: int, detail: str, *, id: str = "", headers: Headers = ()) -> Response:
    document: dict[str, object] = {"type": "about:blank", "title": _title(status), "status": status}
    document["detail"] = detail
    if id:
        document["request_id"] = id
    return Response(status, orjson.dumps(document), CONTENT_TYPE, headers)


def of(error: Exception, id: str) -> Response:
    """Return the response to an error.

    Any other error than a FilterError is a bug; its text is not sent.
    """
    if isinstance(error, FilterError):
        return problem(error.status, error.detail, id=id, headers=error.headers)
    return problem(500, "the service failed; the request id finds the reason in its log", id=id)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
