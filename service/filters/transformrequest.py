"""`transformrequest`: path, query and form of a request become the command for the store.

transformrequest [TEMPLATE] {
    part NAME REGEX      what a part of the path may look like, decoded
    attribute REGEX      what an attribute may be called
    scope NAME           the part that the security context's scope.cids must hold, or: off
    class MODULE:NAME    Python instead of a template: Callable[[Request, context], command]
}
"""

import importlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from service.caddyfile import Directive, Token
from service.chain import Exchange, Filter, Handler, Request, Response, Site
from service.entities import template
from service.entities.commands import METHODS, Command
from service.errors import CaddyfileError, StartError

if TYPE_CHECKING:
    from service.entities.mapping import Mapper

TEMPLATE = "/v1/cids/{cid}/entity_types/{type}/domains/{domain}/keys/{key}"
PART = "[A-Za-z0-9_.-]{1,128}"
KEY = r"[^\x00-\x1f\x7f]{1,512}"
ATTRIBUTE = "[A-Za-z][A-Za-z0-9_]{0,127}"

Transform: TypeAlias = Callable[[Request, Mapping[str, Any] | None], Command]


@dataclass(frozen=True, slots=True)
class Options:
    """`python` is '' or MODULE:NAME."""

    path: str = TEMPLATE
    parts: Mapping[str, str] = field(default_factory=lambda: {"key": KEY})
    attribute: str = ATTRIBUTE
    owner: str = "cid"
    scoped: bool = True
    python: str = ""

    def compiled(self) -> template.Template:
        owner = self.owner if self.scoped or f"{{{self.owner}}}" in self.path else ""
        return template.compile(self.path, dict(self.parts), PART, owner)


def parse(directive: Directive) -> Options:
    if len(directive.args) > 1:
        raise _error(directive.args[1], "transformrequest takes one argument, a path template")
    place = Token(directive.name, directive.file, directive.line)
    text = directive.args[0].text if directive.args else TEMPLATE
    parts = {"key": KEY} if "{key}" in text else {}
    single: dict[str, Any] = {}
    for line in directive.block or ():
        match [token.text for token in line]:
            case ["part", name, rule]:
                parts[name] = _regex(line[2], rule)
            case ["attribute", rule]:
                single["attribute"] = _regex(line[1], rule)
            case ["scope", "off"]:
                single["scoped"] = False
            case ["scope", owner]:
                single["owner"] = owner
            case ["class", name] if re.fullmatch(r"[\w.]+:\w+", name):
                single["python"] = name
            case _:
                raise _error(
                    line[0],
                    "transformrequest's lines are `part NAME REGEX`, `attribute REGEX`,"
                    " `scope NAME` or `scope off`, and `class MODULE:NAME`",
                )
    options = Options(text, parts, **single)
    try:
        options.compiled()
    except ValueError as error:
        raise _error(place, str(error)) from None
    return options


def build(options: tuple[Options, ...], site: Site) -> Filter:
    from service.entities import schema  # checking a Caddyfile needs none of this

    (one,) = options
    if one.python:
        return TransformRequest(_python(one.python))
    site.paths[one.path] = schema.path_item(one.compiled(), one.attribute)
    made = mapper(one)
    return TransformRequest(made, made)


def mapper(options: Options, now: Callable[[], float] = time.time) -> "Mapper":
    from service.entities.mapping import Mapper

    attribute = re.compile(options.attribute)
    return Mapper(options.compiled(), attribute, options.scoped, now)


class TransformRequest:
    """`mapper` is a template's transform, which can judge a request by its head."""

    def __init__(self, transform: Transform, mapper: "Mapper | None" = None) -> None:
        self._transform = transform
        self._mapper = mapper

    def __call__(self, exchange: Exchange, call_next: Handler) -> Awaitable[Response]:
        request = exchange.request
        if request.pending is not None or request.method == "OPTIONS":
            return self._by_head(exchange, call_next)
        exchange.command = self._transform(request, exchange.security_context)
        return call_next(exchange)

    async def _by_head(self, exchange: Exchange, call_next: Handler) -> Response:
        """What needs no body is answered before the body is there."""
        request = exchange.request
        if request.method == "OPTIONS":
            if self._mapper is not None and request.raw_path != b"*":
                self._mapper.check_path(request)
            return Response(204, headers=((b"allow", METHODS.encode()),))
        if self._mapper is not None:
            self._mapper.check_head(request, exchange.security_context)
        await request.complete()
        exchange.command = self._transform(request, exchange.security_context)
        return await call_next(exchange)


def _python(name: str) -> Transform:
    module, _, attribute = name.partition(":")
    try:
        transform: Transform = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise StartError(f"transformrequest cannot load the class {name}: {error}") from error
    return transform


def _regex(token: Token, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise _error(token, f"not a regular expression: {error}") from None
    return text


def _error(token: Token, message: str) -> CaddyfileError:
    return CaddyfileError(message, file=token.file, line=token.line)
