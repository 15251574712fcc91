"""`reauth { path… except… failure… backend… }`: authenticate requests. One block is one rule.

The first rule that applies to a path decides. Known credentials pass without an await.
"""

import posixpath
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.auth import failures, settings
from service.auth.errors import Refused, Unavailable
from service.auth.failures import BasicAuth, Failure
from service.auth.settings import BackendOptions
from service.caddyfile import Directive, Token
from service.chain import Exchange, Filter, Handler, Request, Response, Site, own_task
from service.errors import CaddyfileError, FilterError

if TYPE_CHECKING:
    from service.auth.backends import Backend

MAY_REPEAT = True  # each occurrence is a rule

_CONTEXT = b"security_context"
_PERCENT = ord("%")  # searching for a number is much faster than for bytes
_FORM = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Options:
    paths: tuple[str, ...] = ()
    excepts: tuple[str, ...] = ()
    failure: Failure | None = None
    backends: tuple[BackendOptions, ...] = ()


def parse(directive: Directive) -> Options:
    if directive.args:
        raise _wrong_count(directive.args[0])
    options = Options()
    for line in directive.block or ():
        options = _read(options, line)
    if not options.paths:
        raise _at(directive, "at least one path is required")
    if not options.backends:
        raise _at(directive, "at least one backend required")
    return options


def _read(options: Options, line: Sequence[Token]) -> Options:
    word, args = line[0], [token.text for token in line[1:]]
    match word.text:
        case "path":
            return replace(options, paths=(*options.paths, _one(word, args)))
        case "except":
            return replace(options, excepts=(*options.excepts, _one(word, args)))
        case "failure":
            if options.failure is not None or not 1 <= len(args) <= 2:
                raise _wrong_count(word)
            return replace(options, failure=_failure(word, args[0], "".join(args[1:])))
        case _:
            return replace(options, backends=(*options.backends, _backend(word, args)))


def _failure(word: Token, name: str, text: str) -> Failure:
    if name not in failures.HANDLERS:
        allowed = ", ".join(failures.HANDLERS)
        raise _wrong(word, f"unknown failure handler {name}: {text} (allowed are {allowed})")
    try:
        return failures.HANDLERS[name](text)
    except ValueError as error:
        raise _wrong(word, f"{error} for failure {name}") from None


def _backend(word: Token, args: Sequence[str]) -> BackendOptions:
    name = word.text
    if name not in settings.PARSERS:
        allowed = ", ".join(settings.PARSERS)
        raise _at(
            word, f"unknown backend for {name} (allowed are path, except, failure, {allowed})"
        )
    if len(args) != 1:
        # The arguments may be passwords: only their number is shown.
        raise _at(word, f"wrong number of arguments for {name}: one is needed, not {len(args)}")
    try:
        return settings.PARSERS[name](args[0])
    except ValueError as error:
        # Any part of a user list may be a password.
        text = "unable to parse options string, missing pair" if name == "simple" else str(error)
        raise _at(word, f"{text} for {name}") from None


def _one(word: Token, args: Sequence[str]) -> str:
    if len(args) != 1:
        raise _wrong_count(word)
    return args[0]


def _at(place: Directive | Token, message: str) -> CaddyfileError:
    return CaddyfileError(message, file=place.file, line=place.line)


def _wrong(word: Token, message: str) -> CaddyfileError:
    return _at(word, f"Error during parsing: {message}")


def _wrong_count(word: Token) -> CaddyfileError:
    return _wrong(word, f"Wrong argument count or unexpected line ending after '{word.text}'")


def build(options: tuple[Options, ...], site: Site) -> Filter | None:
    from service.auth.backends import make  # checking a Caddyfile needs no HTTP client

    rules = []
    for one in options:
        made = tuple(make(one, site) for one in one.backends)
        for backend in made:
            site.startup.append(backend.open)
            site.shutdown.append(backend.close)
        rules.append(Rule(one, made))
    reauth = Reauth(rules)
    site.status["reauth"] = reauth.status
    site.guards["401"] = {"description": "no valid token"}
    return reauth


class Rule:
    def __init__(self, options: Options, backends: "tuple[Backend, ...]") -> None:
        self._paths = tuple(map(_prefix, options.paths))
        self._excepts = tuple(map(_prefix, options.excepts))
        self._failure = options.failure or BasicAuth()
        self.backends = backends
        # Nearly every rule has one backend: use its recall directly, one call less.
        self.recall = backends[0].recall if len(backends) == 1 else self._recall

    def applies(self, path: str) -> bool:
        """Return whether the rule applies to PATH (in lower case). As in Caddy, `/v1` also matches
        `/v1x`.

        A path that changes when its dots and slashes are resolved may be read either way by a later
        filter. It is protected if either reading is, and excepted only if both are.
        """
        if "//" in path or "/." in path:
            readings = (path, _clean(path))
            return any(one.startswith(self._paths) for one in readings) and not all(
                one.startswith(self._excepts) for one in readings
            )
        return path.startswith(self._paths) and not path.startswith(self._excepts)

    def _recall(self, exchange: Exchange) -> bool:
        return any(backend.recall(exchange) for backend in self.backends)

    async def authenticate(self, exchange: Exchange) -> Response | None:
        """Return None if a backend authenticates the request, else the failure's answer."""
        refusals = []
        for backend in self.backends:
            try:
                await backend.authenticate(exchange)
            except Refused as refused:
                refusals.append(str(refused))
            except Unavailable as error:
                if error.busy:
                    busy = "too many unknown tokens are being checked"
                    raise FilterError(503, busy, headers=[(b"retry-after", b"1")]) from error
                detail = "the auth server did not answer in time"
                if error.timed_out:
                    raise FilterError(504, detail) from error
                raise FilterError(502, "the auth server does not answer") from error
            else:
                return None
        try:
            return self._failure.answer(exchange.request)
        except FilterError as error:
            raise error from Refused("; ".join(refusals))


class Reauth:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self.hits = 0
        self.asked = 0

    def __call__(self, exchange: Exchange, call_next: Handler) -> Awaitable[Response]:
        request = exchange.request
        if request.query_string:
            request.query_string = without_context(request.query_string)
        path = request.path.lower()
        for rule in self._rules:
            if rule.applies(path):
                if not rule.recall(exchange):
                    return self._authenticate(rule, exchange, call_next)
                self.hits += 1
                break
        if request.body or request.pending is not None:
            return _without_context(exchange, call_next)
        return call_next(exchange)

    async def _authenticate(self, rule: Rule, exchange: Exchange, call_next: Handler) -> Response:
        self.asked += 1
        await own_task()
        return await rule.authenticate(exchange) or await _without_context(exchange, call_next)

    def status(self) -> dict[str, object]:
        rules = [[backend.status() for backend in rule.backends] for rule in self._rules]
        return {"hits": self.hits, "asked": self.asked, "rules": rules}


async def _without_context(exchange: Exchange, call_next: Handler) -> Response:
    """Go on with a body that gives no security context."""
    request = exchange.request
    await request.complete()
    if request.body:
        without = without_context(request.body)
        if without is not request.body and _is_form(request):
            request.body = without
    return await call_next(exchange)


def _is_form(request: Request) -> bool:
    content_type = request.header(b"content-type") or b""
    if content_type == _FORM:
        return True
    return content_type.strip().lower().startswith(_FORM)


def without_context(query: bytes) -> bytes:
    """Remove a client's own security context from a query or form: only reauth may set it."""
    if _PERCENT in query or _CONTEXT in query.lower():
        return _OF_CONTEXT.sub(b"", query)
    return query


def _any_spelling(letter: bytes) -> bytes:
    """Return a pattern for a letter in either case (IGNORECASE) or percent-encoded.

    No text matches two alternatives. With two ways for each letter, a near miss would be tried in
    2^15 ways.
    """
    codes = sorted({letter.lower(), letter.upper()})
    return b"(?:%b)" % b"|".join([re.escape(letter), *(b"%%%02x" % ord(c) for c in codes)])


# Possessive: characters matched as blanks are not tried again.
_BLANKS = rb"(?:[+ \t\n\r\v\f]++|%20|%09|%0a|%0d|%0b|%0c)*+"
# One pass in C, because a body may have half a million pairs.
_OF_CONTEXT = re.compile(
    rb"(?<![^&])(?=[s%+\s])"
    + _BLANKS
    + b"".join(_any_spelling(bytes([code])) for code in _CONTEXT)
    + _BLANKS
    + rb"(?:=[^&]*+)?+(?:&|$)",
    re.IGNORECASE,
)


def _prefix(path: str) -> str:
    cleaned = _clean(path.lower())
    return "" if cleaned == "/" else cleaned


def _clean(path: str) -> str:
    """Return Go's path.Clean, with a trailing slash kept, because Caddy compares like that."""
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned
