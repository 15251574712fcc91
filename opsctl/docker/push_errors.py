"""Classify the errors of a push by the registry's status and code.

The engine passes a registry's answer on as `CODE: message` in words, or with the HTTP status when
it had no code. A broken connection ends with Go's own words. Sources: errcode of distribution
(`denied`, `tag invalid`, …), its client's UnexpectedHTTPStatusError, and Go's net package.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from opsctl.errors import DockerError

Kind: TypeAlias = Literal["denied", "taken", "broken", "refused"]
# The registry's codes, in the words that the engine prints.
_CODES: Mapping[str, Kind] = {
    "denied": "denied",
    "unauthorized": "denied",
    "no basic auth credentials": "denied",
    "tag invalid": "taken",
    "toomanyrequests": "broken",
    "unavailable": "broken",
    "blob upload unknown": "broken",
    "blob upload invalid": "broken",
    "unknown": "broken",
    "name unknown": "refused",
    "name invalid": "refused",
    "manifest invalid": "refused",
    "unsupported": "refused",
}
_CODE = re.compile(rf"(?:error from registry: |failed to \w+: )*({'|'.join(_CODES)})(?::|$)")
_STATUS = re.compile(
    r"(?:unexpected HTTP status|error parsing HTTP|failed with status|unexpected response status"
    r"|unexpected status(?: code)?(?: from [A-Z]+ request to \S+)?):? (\d{3})\b"
)
# How the sentence of a broken connection ends.
_BROKEN = re.compile(
    r"(?:\bEOF|connection reset by peer|broken pipe|connection refused|i/o timeout"
    r"|TLS handshake timeout|Client\.Timeout exceeded while awaiting headers\)|request canceled"
    r"|context deadline exceeded|no route to host|network is unreachable"
    r"|server misbehaving|use of closed network connection)\s*$"
)
_IMMUTABLE = re.compile(
    r"cannot be overwritten because the (?:image )?tag is immutable|is immutable"
)


class PushBroken(DockerError):
    """The connection to the registry broke. Layers that arrived need not be sent again."""


class TagTaken(DockerError):
    """The repository's tags are immutable, and this one exists."""


def read(item: Mapping[str, Any], reference: str) -> DockerError | None:
    """Return the error that one item of the push's stream reports, or None."""
    text = str(item.get("error") or "").strip()
    if not text:
        return None
    detail = item.get("errorDetail")
    code = detail.get("code") if isinstance(detail, Mapping) else None
    what = f"the push of `{reference}` failed: {text}"
    kind = of(text, code if isinstance(code, int) else None)
    if kind == "taken":
        return TagTaken(what)
    if kind == "denied":
        return DockerError(
            what, hint="allow this caller ecr:PutImage and the layer uploads on the repository"
        )
    if kind == "broken":
        return PushBroken(what, hint="run the same command again; finished layers are kept")
    return DockerError(what)


def of(text: str, status: int | None = None) -> Kind:
    """Return the kind of error, which decides what to do: nothing, ask for rights, or try again."""
    if code := _CODE.match(text):
        kind = _CODES[code[1]]
        # `tag invalid` also stands for a malformed tag.
        return "refused" if kind == "taken" and not _IMMUTABLE.search(text) else kind
    if stated := _STATUS.search(text):
        status = int(stated[1])
    if status is not None and 400 <= status < 600:
        return _of_status(status)
    if _IMMUTABLE.search(text):
        return "taken"
    return "broken" if _BROKEN.search(text) else "refused"


def _of_status(status: int) -> Kind:
    if status in (401, 403):
        return "denied"
    return "broken" if status >= 500 or status in (408, 429) else "refused"
