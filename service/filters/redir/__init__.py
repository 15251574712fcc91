"""`redir`: v1's redirects, from one path or from every path.

Unlike v1, a rule never redirects a request to the same place, so `redir / /health.txt` does not
loop; `/health.txt` itself is answered here.
"""

import html
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, unquote, urlsplit

from service.caddyfile import Directive, Token
from service.chain import Exchange, Filter, Handler, Request, Response, Site
from service.errors import CaddyfileError, FilterError
from service.filters.redir.placeholders import fill

MAY_REPEAT = True

CODES = ("300", "301", "302", "303", "304", "305", "307", "308")
DEFAULT_CODE = "301"
HEALTH = "/health.txt"
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "is": lambda a, b: a == b,
    "not": lambda a, b: a != b,
    "has": lambda a, b: b in a,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "match": lambda a, b: re.search(b, a) is not None,
}
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_HTML = b"text/html; charset=utf-8"
_META = """<!DOCTYPE html>
<html>
\t<head>
\t\t<script>window.location.replace("{target}");</script>
\t\t<meta http-equiv="refresh" content="0; URL='{target}'">
\t</head>
\t<body>Redirecting...</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Condition:
    left: str
    operator: str
    right: str

    def holds(self, request: Request) -> bool:
        name = self.operator.removeprefix("not_")
        right = self.right if name == "match" else fill(self.right, request)
        return OPERATORS[name](fill(self.left, request), right) != (name != self.operator)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `place` is the token that errors point to."""

    source: str
    target: str
    code: int
    meta: bool
    place: Token


@dataclass(frozen=True, slots=True)
class Options:
    """One occurrence: its rules, and the conditions for all of them."""

    rules: tuple[Rule, ...]
    conditions: tuple[Condition, ...] = ()
    any_condition: bool = False

    def applies(self, request: Request) -> bool:
        if not self.conditions:
            return not self.any_condition  # as in v1: `if_op or` without an `if` is never true
        quantifier = any if self.any_condition else all
        return quantifier(condition.holds(request) for condition in self.conditions)


def parse(directive: Directive) -> Options:
    here = Token(directive.name, directive.file, directive.line)
    conditions = []
    any_condition = False
    lines = []
    for line in directive.block or ():
        if line[0].text == "if":
            conditions.append(_condition(line))
        elif line[0].text == "if_op":
            any_condition = _any(line)
        else:
            lines.append(line)
    if not lines:
        rules = [_rule(here, directive.args, DEFAULT_CODE)]
    else:
        code = _default_code(directive)
        rules = [_rule(line[0], line, code) for line in lines]
    return Options(tuple(rules), tuple(conditions), any_condition)


def check(options: tuple[Options, ...]) -> None:
    """Raise an error for a second rule from the same path, unless it has a condition."""
    known: dict[str, Rule] = {}
    for one in options:
        for rule in one.rules:
            if rule.source in known and not one.conditions:
                other = known[rule.source]
                raise _error(
                    rule.place,
                    f"rule with duplicate 'from' value: {other.source} -> {other.target}",
                )
            known.setdefault(rule.source, rule)


def build(options: tuple[Options, ...], site: Site) -> Filter | None:
    redirect = Redirect(options)
    if redirect.answers_health:
        # A site for the load balancer is also for operators; clients have another site.
        site.tells_status = True
        answers = {"200": {"description": "ok", "content": {"text/plain": {}}}}
        site.paths[HEALTH] = {"get": {"summary": "Whether it runs", "responses": answers}}
    return redirect


class Redirect:
    def __init__(self, options: Sequence[Options]) -> None:
        self._rules = [(rule, block) for block in options for rule in block.rules]
        self.answers_health = any(rule.target == HEALTH for rule, _ in self._rules)

    async def __call__(self, exchange: Exchange, call_next: Handler) -> Response:
        request = exchange.request
        for rule, options in self._rules:
            if rule.source not in ("/", request.path) or not options.applies(request):
                continue
            target = fill(rule.target, request)
            location = _location(target, request)
            if not _is_here(location, request):
                return _meta(target) if rule.meta else _redirect(location, rule.code, request)
        if self.answers_health and request.path == HEALTH:
            if request.method not in ("GET", "HEAD"):
                raise FilterError(405, "method not allowed", headers=[(b"allow", b"GET, HEAD")])
            return Response(200, b"ok", b"text/plain; charset=utf-8")
        return await call_next(exchange)


def _is_here(location: str, request: Request) -> bool:
    try:
        url = urlsplit(location)
    except ValueError:
        return False
    host = (request.header(b"host") or b"").decode("utf-8", "replace")
    return (
        url.scheme in ("", request.scheme)
        and url.netloc.lower() in ("", host.lower())
        and unquote(url.path or "/") == request.path
    )


def _meta(target: str) -> Response:
    page = _META.replace("{target}", _escape(target))
    return Response(200, page.encode("utf-8", "replace"), _HTML)


def _escape(text: str) -> str:
    """Escape text with the entities of Go's html.EscapeString."""
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _redirect(location: str, code: int, request: Request) -> Response:
    body = b""
    if request.method == "GET" and code != HTTPStatus.NOT_MODIFIED:
        phrase = HTTPStatus(code).phrase
        body = f'<a href="{_escape(location)}">{phrase}</a>.\n\n'.encode()
    return Response(code, body, _HTML, headers=[(b"location", location.encode("ascii"))])


def _location(target: str, request: Request) -> str:
    """Return the location as Go's http.Redirect does: relative to the request's folder."""
    try:
        url = urlsplit(target)
        relative = not url.scheme and not url.netloc
    except ValueError:
        relative = False
    if relative:
        if not target.startswith("/"):
            folder = request.raw_path.decode("utf-8", "replace").rpartition("/")[0]
            target = f"{folder}/{target}"
        plain, mark, query = target.partition("?")
        # posixpath keeps a second leading slash, which would name another host
        cleaned = "/" + posixpath.normpath(plain).lstrip("/")
        if plain.endswith("/") and not cleaned.endswith("/"):
            cleaned += "/"
        target = cleaned + mark + query
    # Line breaks and characters outside ASCII must not get into a header.
    return quote(target, safe=_PRINTABLE, errors="replace")


def _rule(place: Token, args: Sequence[Token], default_code: str) -> Rule:
    texts = [token.text for token in args]
    match texts:
        case [target]:
            source, code = "/", default_code
        case [source, target]:
            code = default_code
        case [source, target, code]:
            pass
        case _:
            raise _error(
                place,
                "Wrong argument count or unexpected line ending after"
                f" '{args[-1].text if args else place.text}': allowed are TO, FROM TO,"
                " and FROM TO CODE",
            )
    meta = code == "meta"
    number = _code(place, default_code if meta else code)
    if source == target:
        raise _error(place, "'from' and 'to' values of redirect rule cannot be the same")
    return Rule(source, target, number, meta, place)


def _default_code(directive: Directive) -> str:
    if not directive.args:
        return DEFAULT_CODE
    if len(directive.args) > 1:
        raise _error(
            directive.args[1], "Wrong argument count: a block of rules takes at most a CODE before"
        )
    (token,) = directive.args
    _code(token, token.text)
    return token.text


def _code(place: Token, code: str) -> int:
    if code not in CODES:
        allowed = f"{', '.join(CODES)}, or meta in a rule"
        raise _error(place, f"Invalid redirect code '{code}': allowed are {allowed}")
    return int(code)


def _condition(line: Sequence[Token]) -> Condition:
    if len(line) != 4:
        raise _error(line[0], "Wrong argument count: an if is `if A OPERATOR B`")
    left, operator, right = (token.text for token in line[1:])
    name = operator.removeprefix("not_")
    if name not in OPERATORS:
        allowed = f"{', '.join(OPERATORS)}, each also with not_ before it"
        raise _error(line[0], f"Invalid operator {operator}: allowed are {allowed}")
    if name == "match":
        try:
            re.compile(right)
        except (re.error, OverflowError, RecursionError) as error:
            message = f"Invalid regular expression: '{right}', {error}"
            raise _error(line[0], message) from error
    return Condition(left, operator, right)


def _any(line: Sequence[Token]) -> bool:
    if len(line) != 2 or line[1].text not in ("and", "or"):
        raise _error(line[0], "Wrong argument: if_op is `if_op and` or `if_op or`")
    return line[1].text == "or"


def _error(place: Token, message: str) -> CaddyfileError:
    return CaddyfileError(message, file=place.file, line=place.line)
