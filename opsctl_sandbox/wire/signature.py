"""Signature Version 4: find the key that signed a request, and check the signature.

The rules are those of "Create a signed AWS API request" in the IAM User Guide; each protocol's
errors were seen in the threads that docs/aws-facts.md names.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_FIELDS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAMP = "%Y%m%dT%H%M%SZ"
_WINDOW = timedelta(minutes=5)

_Words = tuple[str, str, int]  # code, sentence, HTTP status
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_INVALID_TOKEN = "The security token included in the request is invalid."
_EC2 = "AWS was not able to validate the provided access credentials"
_UNKNOWN: Mapping[str, _Words] = {
    "query": ("InvalidClientTokenId", _INVALID_TOKEN, 403),
    "ec2": ("AuthFailure", _EC2, 401),
    "rest-xml": (
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        403,
    ),
    "json": ("UnrecognizedClientException", _INVALID_TOKEN, 400),
}
_WRONG: Mapping[str, _Words] = {
    "query": ("SignatureDoesNotMatch", _MISMATCH, 403),
    "ec2": ("AuthFailure", _EC2, 401),
    "rest-xml": ("SignatureDoesNotMatch", _MISMATCH, 403),
    "json": ("InvalidSignatureException", _MISMATCH, 400),
}
_SKEWED: Mapping[str, _Words] = {
    "query": ("SignatureDoesNotMatch", "", 403),
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "rest-xml": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        403,
    ),
    "json": ("InvalidSignatureException", "", 400),
}
_UNSIGNED: Mapping[str, _Words] = {
    "query": ("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
    "ec2": ("AuthFailure", _EC2, 401),
    "rest-xml": ("AccessDenied", "Access Denied", 403),
    "json": ("MissingAuthenticationTokenException", "Missing Authentication Token", 400),
}


@dataclass(frozen=True)
class Key:
    """An access key. `principal` is the ARN of its owner."""

    id: str
    secret: str
    principal: str
    token: str = ""
    """The session token that belongs to a temporary key."""


@dataclass(frozen=True)
class Signature:
    """The parts of an `Authorization` header."""

    access_key: str
    scope: str
    headers: str
    value: str
    at: str


def read(request: Request) -> Signature | None:
    """Parse the signature; None for an unsigned request, or one that cannot be checked."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith(_ALGORITHM):
        return None
    fields = dict(_FIELDS.findall(authorization))
    key, _, scope = fields.get("Credential", "").partition("/")
    at = request.headers.get("x-amz-date", "")
    if len(fields) < 3 or scope.count("/") != 3 or not at:
        return None
    return Signature(key, scope, fields["SignedHeaders"], fields["Signature"], at)


def unsigned(protocol: str) -> Refused:
    return _refused(_UNSIGNED, protocol)


def unknown_key(protocol: str) -> Refused:
    return _refused(_UNKNOWN, protocol)


def check(request: Request, signed: Signature, key: Key, now: datetime, protocol: str) -> None:
    """Raise `Refused` for a signature with another key, content or time."""
    late = _lateness(signed.at, now)
    if late:
        raise _refused(_SKEWED, protocol, late)
    if key.token != request.headers.get("x-amz-security-token", ""):
        raise _refused(_UNKNOWN, protocol)
    if not hmac.compare_digest(_value(request, signed, key.secret), signed.value):
        raise _refused(_WRONG, protocol)
    promised = request.headers.get("x-amz-content-sha256", "")
    if _DIGEST.fullmatch(promised) and promised != hashlib.sha256(request.body).hexdigest():
        raise _refused(_WRONG, protocol)


def _refused(words: Mapping[str, _Words], protocol: str, sentence: str = "") -> Refused:
    code, usual, status = words.get(protocol, words["json"])
    return Refused(code, usual or sentence, status=status)


def _lateness(stamp: str, now: datetime) -> str:
    """Return AWS's sentence for a request signed more than five minutes from `now`, else ''."""
    try:
        at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return f"Date must be in ISO-8601 'basic format'. Got '{stamp}'."
    if at < now - _WINDOW:
        least = f"{now - _WINDOW:{_STAMP}}"
        return f"Signature expired: {stamp} is now earlier than {least} ({now:{_STAMP}} - 5 min.)"
    if at > now + _WINDOW:
        most = f"{now + _WINDOW:{_STAMP}}"
        return (
            f"Signature not yet current: {stamp} is still later than {most} "
            f"({now:{_STAMP}} + 5 min.)"
        )
    return ""


def _value(request: Request, signed: Signature, secret: str) -> str:
    """Return the signature that the key gives for this request."""
    digest = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    text = "\n".join((_ALGORITHM, signed.at, signed.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in signed.scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _canonical(request: Request, signed: Signature) -> str:
    # S3 signs the path as it is sent; every other service encodes it once more.
    sent = quote(request.path, safe="/-_.~")
    path = sent if signed.scope.split("/")[2] == "s3" else quote(sent, safe="/-_.~")
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(request.query, keep_blank_values=True)
    )
    headers = [
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n"
        for name in signed.headers.split(";")
    ]
    payload = request.headers.get("x-amz-content-sha256")
    return "\n".join(
        (
            request.method,
            path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            signed.headers,
            payload or hashlib.sha256(request.body).hexdigest(),
        )
    )
