"""Send one request as a client would, through the load balancer."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from opsctl import aws
from opsctl.snapshot.targets import Listener

_ATTEMPTS = 5
_PAUSE = 1.0  # seconds
_SECONDS = 5
_LONGEST = 4096
# An entity that nobody has. Without a required token, the service must ask Redis for it.
PATH = "/v1/cids/opsctl/entity_types/opsctl/domains/opsctl/keys/opsctl"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer. `status` is None when this machine got none, which proves nothing. It is `final`
    when another request cannot do better.
    """

    url: str
    status: int | None
    text: str
    final: bool = False

    @property
    def bad(self) -> bool:
        return self.status is not None and self.status >= 500

    @property
    def sentence(self) -> str:
        """Return the URL, which can be requested again, and what its answer shows."""
        return f"{self.url} {self.text}"


def reach(listener: Listener, *, sleep: Callable[[float], None]) -> Answer:
    """Send up to five requests. Any HTTP status below 500 shows that a task was reached."""
    for _ in range(_ATTEMPTS - 1):
        answer = _ask(listener)
        if answer.final or (answer.status is not None and not answer.bad):
            return answer
        sleep(_PAUSE)
    return _ask(listener)


def _ask(listener: Listener) -> Answer:
    url = f"{listener.url}{PATH}"
    connection = _connection(listener)
    try:
        connection.connect()
    except (socket.gaierror, UnicodeError):
        return Answer(url, None, "got no request: this machine cannot resolve the name", final=True)
    except TimeoutError:
        text = "cannot be reached from here: no connection within 5 seconds"
        return Answer(url, None, text, final=True)
    except OSError as error:
        return Answer(url, None, f"cannot be reached from here: {error}")
    try:
        connection.response_class = aws.response(_SECONDS)
        connection.request("GET", PATH, headers={"User-Agent": "opsctl"})
        response = connection.getresponse()
        detail = _detail(response.read(_LONGEST)) if response.status >= 500 else ""
        return Answer(
            url, response.status, f"answered {response.status}{detail or _shows(response.status)}"
        )
    except TimeoutError:
        return Answer(url, None, "accepted the connection and did not answer within 5 seconds")
    except (OSError, http.client.HTTPException) as error:
        return Answer(url, None, f"accepted the connection and closed it: {error}")
    finally:
        connection.close()


def _connection(listener: Listener) -> http.client.HTTPConnection:
    if not listener.tls:
        return http.client.HTTPConnection(listener.host, listener.port, timeout=_SECONDS)
    # A certificate holds the service's name, never that of the load balancer, and may be of a
    # private authority. The request carries no secret: only the answer matters.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        listener.host, listener.port, timeout=_SECONDS, context=context
    )


def _shows(status: int) -> str:
    """Return what an answer without a token shows: a task answers, and perhaps Redis, too."""
    if status in (401, 403):
        return ": a task answers; without a token the request went no further"
    if status == 404:
        return ": a task answers, and its store too"
    return ": a task answers"


def _detail(body: bytes) -> str:
    """Return the `detail` of a problem document in parentheses; '' for any other body."""
    try:
        return f" ({json.loads(body)['detail']})"
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
