"""Map a request's method, path and query to a command."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from time import gmtime, strftime
from typing import Any, cast

import orjson

from service.chain import Request
from service.entities import attributes
from service.entities.commands import (
    ENTITY_BYTES,
    METHODS,
    Change,
    Command,
    Delete,
    Entity,
    Read,
    Replace,
    TooLarge,
    Update,
    new,
)
from service.entities.percent import decode
from service.entities.template import Template
from service.errors import FilterError

# Limits of one request; docs/service.md lists them, and a test compares.
ATTRIBUTES_LIMIT = 1_000
NAME_LENGTH = 256  # characters of an attribute's name, whatever the Caddyfile's pattern allows
ITEMS_LIMIT = 10_000  # of all lists together
FIELDS_LIMIT = 1_000
VALUES_LIMIT = 10_000  # keys times fields of a batch

_FORM = b"application/x-www-form-urlencoded"
_MOST_NAMES = 2_000
_LONGEST_NAME = 200  # of names that are remembered
_MOST_SHAPES, _MOST_OF_SHAPE = 256, 64
_LONGEST_PLAIN = 65_536
# Characters that are neither syntax nor encoded, and JSON as they are.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:;/@!*'()~?- "
_DIVIDERS = b"=&" * _MOST_OF_SHAPE

# reauth puts these into the exchange; a client's own parameters with these names are ignored.
_NOT_OURS = frozenset({"security_context"})


@dataclass(frozen=True, slots=True)
class Mapper:
    """`scoped` is False only if the Caddyfile allows everybody every owner."""

    template: Template
    attribute: re.Pattern[str]
    scoped: bool
    now: Callable[[], float]  # seconds since 1970
    # Names as JSON by their raw form: single names, and those of whole forms.
    names: dict[str, bytes] = field(default_factory=dict)
    shapes: dict[tuple[bytes, ...], tuple[bytes, ...]] = field(default_factory=dict)
    clock: list[Any] = field(default_factory=lambda: [-1, b""])  # a second, and its text

    def __call__(self, request: Request, security_context: Mapping[str, Any] | None) -> Command:
        owner, entities, batch = self.template.match(_utf8(request.raw_path))
        if self.scoped:
            require_scope(security_context, owner)
        method = request.method
        if method in ("GET", "HEAD"):
            fields = self._fields(request.query_string) if request.query_string else None
            if batch:
                return _batch(entities, fields)
            return new(Read, (entities, fields, False))
        if batch:
            raise FilterError(400, "a list of keys can only be read")
        match method:
            case "PUT":
                return self._replace(entities[0], request)
            case "POST":
                return self._update(entities[0], request)
            case "DELETE":
                return Delete(entities[0])
        raise FilterError(405, "method not allowed", headers=[(b"allow", METHODS.encode())])

    def check_head(self, request: Request, security_context: Mapping[str, Any] | None) -> None:
        """Raise errors that no body can change: a wrong path, method or owner."""
        if request.method in ("PUT", "POST"):
            owner, _, batch = self.template.match(_utf8(request.raw_path))
            if self.scoped:
                require_scope(security_context, owner)
            if not batch:
                return
        self(request, security_context)

    def check_path(self, request: Request) -> None:
        """Raise the 400 for a path that is not an entity's."""
        self.template.match(_utf8(request.raw_path))

    def _fields(self, query: bytes) -> tuple[bytes, ...] | None:
        for name, raw in attributes.pairs(_utf8(query)):
            if name == "fields":
                if raw.count(",") >= FIELDS_LIMIT:
                    raise FilterError(400, f"more than {FIELDS_LIMIT} fields at once")
                return tuple(dict.fromkeys(self._name(decode(f)) for f in raw.split(",")))
        return None

    def _replace(self, entity: Entity, request: Request) -> Replace:
        plain = self._plain(request)
        if plain is not None:
            return Replace(entity, plain, self._last_update())
        given = {
            name: value if type(value) is bytes else _text_or_list(value)
            for name, value in self._parameters(request).items()
        }
        if sum(map(len, given)) + sum(map(len, given.values())) > ENTITY_BYTES:
            raise TooLarge()
        self._learn_shape(request, tuple(given))
        return Replace(entity, tuple(chain.from_iterable(given.items())), self._last_update())

    def _plain(self, request: Request) -> tuple[bytes, ...] | None:
        """Return the attributes of a form of plain texts with known names, or None.

        Entities of one type have the same names in the same order, so most forms are like this.
        """
        body = request.body
        if not body or request.query_string or len(body) > _LONGEST_PLAIN:
            return None
        # All other characters must be `=&=&=`, one `=` per pair.
        others = body.translate(None, _PLAIN)
        if others != _DIVIDERS[: len(others)] or others[-1:] != b"=" or not _is_form(request):
            return None
        quoted = body.replace(b"&", b'"&').replace(b"=", b'&"') + b'"'
        members = quoted.split(b"&")
        names = self.shapes.get(tuple(members[::2]))
        if names is None:
            return None
        members[::2] = names
        return tuple(members)

    def _learn_shape(self, request: Request, names: tuple[bytes, ...]) -> None:
        body = request.body
        if request.query_string or not 0 < len(body) <= _LONGEST_PLAIN:
            return
        raw = tuple([pair.partition(b"=")[0] for pair in body.split(b"&")])
        if len(raw) == len(names) <= _MOST_OF_SHAPE:
            if len(self.shapes) >= _MOST_SHAPES:
                self.shapes.clear()
            self.shapes[raw] = names

    def _update(self, entity: Entity, request: Request) -> Update:
        changes = tuple(
            Change(name, "set", value)
            if isinstance(value, bytes)
            else attributes.change(name, value)
            for name, value in self._parameters(request).items()
        )
        return Update(entity, changes, self._last_update())

    def _parameters(self, request: Request) -> dict[bytes, bytes | str]:
        """Return attributes by name as JSON: plain texts as JSON, other values raw."""
        text = _utf8(request.query_string)
        if request.body:
            form = _utf8(_form(request))
            text = f"{text}&{form}" if text else form
        if not text:
            return {}
        # Count before reading anything: a million parameters would take a second.
        if text.count("&") >= ATTRIBUTES_LIMIT:
            raise FilterError(400, f"more than {ATTRIBUTES_LIMIT} attributes at once")
        names, is_plain, items = self.names, attributes.is_plain, 0
        given: dict[bytes, bytes | str] = {}
        for parameter in text.split("&"):
            raw_name, _, raw = parameter.partition("=")
            name = names.get(raw_name) or self._learned(raw_name, parameter)
            if name is None:
                continue
            if name in given:
                raise FilterError(400, "an attribute is given twice")
            if is_plain(raw):
                given[name] = b'"%b"' % raw.encode()
            else:
                given[name] = raw
                items += raw.count(",") if raw[:1] in ("[", "$") else 0
        if items > ITEMS_LIMIT:
            raise FilterError(400, f"more than {ITEMS_LIMIT} items in lists at once")
        return given

    def _learned(self, raw: str, parameter: str) -> bytes | None:
        """Return a name as JSON. Names repeat, so each is decoded and checked only once."""
        if not parameter:
            return None
        name = decode(raw.replace("+", " "))
        if name in _NOT_OURS:
            return None
        as_json = self._name(name)
        if len(raw) <= _LONGEST_NAME:
            if len(self.names) >= _MOST_NAMES:
                self.names.clear()
            self.names[raw] = as_json
        return as_json

    def _name(self, name: str) -> bytes:
        if len(name) > NAME_LENGTH or not self.attribute.fullmatch(name):
            raise FilterError(400, "an attribute's name is not of the allowed form")
        return orjson.dumps(name)

    def _last_update(self) -> bytes:
        second = int(self.now())
        if self.clock[0] != second:
            self.clock[:] = second, strftime('"%Y-%m-%dT%H:%M:%SZ"', gmtime(second)).encode()
        return cast(bytes, self.clock[1])


def _batch(entities: tuple[Entity, ...], fields: tuple[bytes, ...] | None) -> Read:
    """Return a batch with each key once, however often the client named it."""
    distinct = tuple({one.store_key: one for one in entities}.values())
    if fields and len(distinct) * len(fields) > VALUES_LIMIT:
        raise FilterError(400, f"more than {VALUES_LIMIT} values at once (keys times fields)")
    return Read(distinct, fields, batch=True)


def require_scope(context: Mapping[str, Any] | None, owner: str) -> None:
    try:
        owners = context["scope"]["cids"]  # type: ignore[index]
    except (KeyError, TypeError):
        owners = _get(_get(context, "scope"), "cids")
    if not isinstance(owners, list) or owner not in owners:
        raise FilterError(403, "the security context does not hold this cid")


def _get(mapping: Any, name: str) -> Any:
    """Return a member whatever its case: the original ignored case, so contexts vary."""
    if not isinstance(mapping, Mapping):
        return None
    if name in mapping:
        return mapping[name]
    return next((v for k, v in mapping.items() if str(k).lower() == name), None)


def _text_or_list(raw: Any) -> bytes:
    if raw.startswith("$"):
        raise FilterError(400, "PUT replaces: a $ command belongs into POST, a text is %24…")
    return attributes.value(raw)


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FilterError(400, "the request is not UTF-8") from None


def _form(request: Request) -> bytes:
    if not request.body:
        return b""
    if not _is_form(request):
        raise FilterError(415, "attributes come as application/x-www-form-urlencoded")
    return request.body


def _is_form(request: Request) -> bool:
    kind = request.header(b"content-type") or b""
    if kind == _FORM:
        return True
    return kind.split(b";")[0].strip().lower() == _FORM
