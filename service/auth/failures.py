"""How reauth answers a request that is not authenticated: basicauth, redirect or status."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_plus, urlsplit

from service.auth import options
from service.chain import Request, Response
from service.errors import FilterError


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Answer 401 with a challenge. The realm is the request's host, unless one is given."""

    realm: str = ""

    def answer(self, request: Request) -> Response:
        realm = self.realm.encode() or request.header(b"host") or b""
        visible = bytes(byte for byte in realm if 0x20 <= byte < 0x7F)
        quoted = visible.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        challenge = (b"www-authenticate", b'Basic realm="' + quoted + b'"')
        raise FilterError(401, HTTPStatus(401).phrase, headers=[challenge])


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect to `target`. In it `{uri}` is the requested URI, absolute for another host."""

    target: str
    code: int = 302

    def answer(self, request: Request) -> Response:
        uri = request.raw_path.decode("latin-1")
        if request.query_string:
            uri += "?" + request.query_string.decode("latin-1")
        host = (request.header(b"host") or b"").decode("latin-1")
        elsewhere = urlsplit(self.target).netloc
        if elsewhere and elsewhere != host:
            forwarded = (request.header(b"x-forwarded-proto") or b"").lower() == b"https"
            scheme = "https" if forwarded or request.scheme == "https" else "http"
            uri = f"{scheme}://{host}{uri}"
        location = self.target.replace("{uri}", quote_plus(uri, encoding="latin-1"))
        headers = [(b"location", location.encode())]
        return Response(self.code, b"", b"text/plain; charset=utf-8", headers)


@dataclass(frozen=True, slots=True)
class Status:
    code: int = 401

    def answer(self, request: Request) -> Response:
        if self.code < 400:
            return Response(self.code, b"", b"text/plain; charset=utf-8")
        raise FilterError(self.code, HTTPStatus(self.code).phrase)


Failure = BasicAuth | Redirect | Status


def _basicauth(text: str) -> Failure:
    if not text:
        return BasicAuth()
    realm = options.pairs(text, ("realm",))["realm"]
    if not (realm.isprintable() and realm.isascii()):
        raise ValueError("unable to parse realm: printable ASCII is needed")
    return BasicAuth(realm)


def _redirect(text: str) -> Failure:
    if not text:
        raise ValueError("configuration required")
    pairs = options.pairs(text, ("target", "code"))
    target = pairs.get("target", "")
    if not target:
        raise ValueError("target url required")
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise ValueError(f"unable to parse target {target}: {error}") from None
    if not target.isprintable() or not target.isascii() or (parts.netloc and not parts.scheme):
        raise ValueError(f"unable to parse target {target}: a URL or a path is needed")
    if target.startswith(":"):
        raise ValueError(f"unable to parse target {target}: missing protocol scheme")
    code = options.integer(pairs, "code", 302)
    if not 300 <= code <= 308:
        raise ValueError(f"unable to parse code {code}: a redirect is 300 to 308")
    return Redirect(target, code)


def _status(text: str) -> Failure:
    pairs = options.pairs(text, ("code",)) if text else {}
    code = options.integer(pairs, "code", 401)
    if code not in set(HTTPStatus) or code < 200:
        raise ValueError(f"unable to parse code {code}: a known HTTP status is needed")
    return Status(code)


HANDLERS: dict[str, Callable[[str], Failure]] = {
    "basicauth": _basicauth,
    "redirect": _redirect,
    "status": _status,
}
