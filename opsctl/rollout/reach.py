"""Send one request as a client would, through the load balancer."""

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass

from opsctl.snapshot.targets import Listener

_ATTEMPTS = 5
_PAUSE = 1.0  # seconds
_LONGEST = 4096
# An entity that nobody has. Without a required token, the service must ask Redis for it.
PATH = "/v1/cids/opsctl/entity_types/opsctl/domains/opsctl/keys/opsctl"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer. `status` is None when this machine could not connect, which proves nothing."""

    url: str
    status: int | None
    text: str

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
        if answer.status is not None and not answer.bad:
            return answer
        sleep(_PAUSE)
    return _ask(listener)


def _ask(listener: Listener) -> Answer:
    url = f"{listener.url}{PATH}"
    kind = http.client.HTTPSConnection if listener.tls else http.client.HTTPConnection
    connection = kind(listener.host, listener.port, timeout=5)
    try:
        connection.request("GET", PATH, headers={"User-Agent": "opsctl"})
        response = connection.getresponse()
        detail = _detail(response.read(_LONGEST)) if response.status >= 500 else ""
        return Answer(
            url, response.status, f"answered {response.status}{detail or _shows(response.status)}"
        )
    except socket.gaierror:
        return Answer(url, None, "got no request: this machine cannot resolve the name")
    except (OSError, http.client.HTTPException) as error:
        return Answer(url, None, f"cannot be reached from here: {error}")
    finally:
        connection.close()


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
    except (ValueError, TypeError, KeyError):
        return ""
