"""The code, HTTP status and sentence of each kind of fault, for each protocol.

Sources: "Common error types" of the services' API references, "Error codes" of EC2 and S3, the
codes that botocore retries, and the OCI distribution specification for the registry.
"""

from collections.abc import Mapping
from typing import Literal

from opsctl_sandbox.wire.calls import Refused

Kind = Literal["throttle", "error", "expired", "denied"]
_QUERY: Mapping[Kind, tuple[str, int]] = {
    "throttle": ("Throttling", 400),
    "error": ("InternalFailure", 500),
    "expired": ("ExpiredToken", 403),
    "denied": ("AccessDenied", 403),
}
_JSON: Mapping[Kind, tuple[str, int]] = {
    "throttle": ("ThrottlingException", 400),
    "error": ("InternalFailure", 500),
    "expired": ("ExpiredTokenException", 400),
    "denied": ("AccessDeniedException", 400),
}
_OTHERS: Mapping[str, Mapping[Kind, tuple[str, int]]] = {
    "json": _JSON,
    "rest-json": _JSON,
    "ec2": {
        "throttle": ("RequestLimitExceeded", 503),
        "error": ("InternalError", 500),
        "expired": ("RequestExpired", 400),
        "denied": ("UnauthorizedOperation", 403),
    },
    "rest-xml": {
        "throttle": ("SlowDown", 503),
        "error": ("InternalError", 500),
        "expired": ("ExpiredToken", 400),
        "denied": ("AccessDenied", 403),
    },
    "registry": {
        "throttle": ("TOOMANYREQUESTS", 429),
        "error": ("UNKNOWN", 500),
        "expired": ("DENIED", 403),
        "denied": ("DENIED", 403),
    },
}
_SENTENCES: Mapping[Kind, str] = {
    "throttle": "Rate exceeded",
    "error": "We encountered an internal error",
    "expired": "The security token included in the request is expired",
    "denied": "User is not authorized to perform this action",
}
_LOGIN_EXPIRED = "Your authorization token has expired. Reauthenticate and try again."


def refusal(kind: Kind, protocol: str, *, code: str, message: str, status: int | None) -> Refused:
    """Return the refusal. `code`, `message` and `status` of the rule take precedence, if given."""
    usual, usual_status = _OTHERS.get(protocol, _QUERY)[kind]
    sentence = _SENTENCES[kind]
    if kind == "expired" and protocol == "registry":
        sentence = _LOGIN_EXPIRED
    return Refused(code or usual, message or sentence, status=status or usual_status)
