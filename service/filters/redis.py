"""`redis ADDRESS [testing|fallback]`: runs the command that transformrequest made.

    redis ADDRESS [testing|fallback] {
        user NAME        names of values in `secrets`
        password NAME
        tls_ca FILE      whom to trust instead of the system's authorities; read at start
        timeout 50ms     without one: 50ms with fallback, 1s otherwise
        cluster          the Redis is in cluster mode
        writes open      `/status/fallback` answers more than this host
    }

As in the original, only an entity that was read goes on down the chain; writes are answered here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from service.caddyfile import Directive, Token
from service.chain import Exchange, Filter, Handler, Response, Site
from service.entities.commands import Command, Read, Replace
from service.errors import CaddyfileError, FilterError, StartError
from service.stores import address

if TYPE_CHECKING:
    from service.stores.store import Remote, Store

Mode: TypeAlias = Literal["", "testing", "fallback"]

_SEQUENCES = (list, tuple)
_LINES = (
    "redis' lines are `user NAME`, `password NAME`, `tls_ca FILE`, `timeout TIME`, `cluster`,"
    " `writes open`"
)
_DURATION = re.compile(r"([0-9]{1,6})(ms|s)")


@dataclass(frozen=True, slots=True)
class Options:
    """`user` and `password` are names of secrets, `tls_ca` is a file, `timeout` is in seconds."""

    address: address.Address
    mode: Mode = ""
    user: str = ""
    password: str = ""
    tls_ca: str = ""
    timeout: float = 1.0
    cluster: bool = False
    writes_open: bool = False


def parse(directive: Directive) -> Options:
    place = Token(directive.name, directive.file, directive.line)
    if not 1 <= len(directive.args) <= 2:
        raise _error(
            place,
            f"redis takes ADDRESS [testing|fallback], but got {len(directive.args)} arguments",
        )
    first, *rest = directive.args
    mode = rest[0].text if rest else ""
    if mode not in ("", "testing", "fallback"):
        raise _error(rest[0], f"redis does not know '{mode}'; allowed are testing and fallback")
    try:
        where = address.parse(first.text)
    except ValueError as error:
        raise _error(first, f"redis: {error}") from None
    options = Options(where, cast(Mode, mode), timeout=0.05 if mode == "fallback" else 1.0)
    for line in directive.block or ():
        options = _with(options, line)
    if options.user and not options.password:
        raise _error(place, "redis: a user needs a password")
    return options


def _with(options: Options, line: Sequence[Token]) -> Options:
    """Return the options with one line of the block added."""
    where, name = options.address, line[0]
    match [token.text for token in line]:
        case ["user", text]:
            return replace(options, user=text)
        case ["password", text]:
            return replace(options, password=text)
        case ["tls_ca", _] if not where.tls:
            raise _error(name, "redis: tls_ca goes with an address of rediss://")
        case ["tls_ca", text]:
            return replace(options, tls_ca=text)
        case ["timeout", text]:
            return replace(options, timeout=_seconds(line[1], text))
        case ["cluster"] if where.path or where.database:
            raise _error(name, "redis: a cluster has no socket path and no database number")
        case ["cluster"]:
            return replace(options, cluster=True)
        case ["writes", "open"] if options.mode == "fallback":
            return replace(options, writes_open=True)
        case ["writes", *_]:
            raise _error(name, "redis: `writes open` goes with `fallback`")
    raise _error(name, _LINES)


def build(options: tuple[Options, ...], site: Site) -> Filter:
    (one,) = options
    store = _store(one, site)
    site.startup.append(store.open)
    site.shutdown.append(store.close)
    site.status["redis"] = store.status
    return Redis(store)


class Redis:
    def __init__(self, store: "Store") -> None:
        self._store = store

    async def __call__(self, exchange: Exchange, call_next: Handler) -> Response:
        command: Command | None = exchange.command
        if command is None:
            return await call_next(exchange)
        reply = await self._store.execute(command)
        if isinstance(command, Read):
            exchange.reply = reply
            if not command.batch and isinstance(reply, _SEQUENCES) and not reply[0]:
                raise FilterError(404, "there is no such entity")
            return await call_next(exchange)
        return Response(201 if isinstance(command, Replace) and not reply else 204)


def _store(options: Options, site: Site) -> "Store":
    # Imported here: checking a Caddyfile needs none of these libraries.
    from service.stores.fallback import FallbackStore
    from service.stores.memory import MemoryStore

    if options.mode == "testing":
        return MemoryStore()
    redis = _remote(options, site)
    if options.mode != "fallback":
        return redis
    fallback = FallbackStore(redis)
    site.written = fallback.written
    site.written_is_open = options.writes_open
    return fallback


def _remote(options: Options, site: Site) -> "Remote":
    from service.stores.cluster import ClusterStore
    from service.stores.redis import RedisStore

    make = ClusterStore if options.cluster else RedisStore
    return make(
        options.address,
        timeout=options.timeout,
        user=_secret(options.user, site),
        password=_secret(options.password, site),
        tls_ca=options.tls_ca,
    )


def _secret(name: str, site: Site) -> str:
    if not name:
        return ""
    if name not in site.secrets:
        raise StartError(f"redis: the secrets have no text named {name}")
    value = site.secrets[name]
    if value == "":
        raise StartError(f"redis: the secret {name} is there but empty")
    if not isinstance(value, str):
        raise StartError(f"redis: the secret {name} is not a text")
    return value


def _seconds(token: Token, text: str) -> float:
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) / (1000 if match[2] == "ms" else 1) if match else 0.0
    if not 0 < seconds <= 60:
        raise _error(token, f"redis: '{text}' is not a time up to 60s, such as 50ms or 1s")
    return seconds


def _error(token: Token, message: str) -> CaddyfileError:
    return CaddyfileError(message, file=token.file, line=token.line)
