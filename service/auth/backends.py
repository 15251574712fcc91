"""The backends that can authenticate a request: simple (users in the Caddyfile), upstream, refresh.

`recall` decides, synchronously for each request, from what the backend knows. `authenticate` asks
the server, and returns or raises Refused or Unavailable.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Protocol

from service.auth import cache, refresh
from service.auth.contexts import Contexts
from service.auth.errors import Refused, Unavailable
from service.auth.settings import BackendOptions, RefreshOptions, SimpleOptions, UpstreamOptions
from service.chain import Exchange, Request, Site
from service.errors import StartError

TOKEN_BYTES = 8_192


class Backend(Protocol):
    def recall(self, exchange: Exchange) -> bool: ...
    async def authenticate(self, exchange: Exchange) -> None: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def status(self) -> Mapping[str, Any]: ...


class Simple:
    def __init__(self, given: SimpleOptions) -> None:
        self._digests = given.digests

    def recall(self, exchange: Exchange) -> bool:
        credentials = _basic(exchange.request)
        if credentials is None:
            return False
        digest = hashlib.sha256(credentials).digest()
        # Compare all of them, so that the time reveals neither which user exists nor how much
        # matched.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)

    async def authenticate(self, exchange: Exchange) -> None:
        if not self.recall(exchange):
            raise Refused("no user with this password")

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def status(self) -> Mapping[str, Any]:
        return {"backend": "simple", "users": len(self._digests)}


class Upstream:
    """Sends the request's own basic credentials to a server; status 200 authenticates it."""

    def __init__(self, given: UpstreamOptions) -> None:
        self._options = given
        self._client = refresh.Client(
            given.url, timeout=given.timeout, skipverify=given.skipverify, follow=given.follow
        )
        self._calls = 0

    def recall(self, exchange: Exchange) -> bool:
        return False

    async def authenticate(self, exchange: Exchange) -> None:
        credentials = _basic(exchange.request)
        if credentials is None:
            raise Refused("no basic credentials")
        headers = {"authorization": "Basic " + base64.b64encode(credentials).decode()}
        cookie = _cookie(exchange.request) if self._options.cookies else None
        if cookie is not None:
            headers["cookie"] = cookie
        self._calls += 1
        answer = await self._client.send("GET", self._options.url, headers)
        if answer.status >= 500:
            raise Unavailable(f"upstream: status {answer.status}")
        if answer.status != 200:
            raise Refused(f"upstream said {answer.status}")

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    def status(self) -> Mapping[str, Any]:
        return {"backend": "upstream", "calls": self._calls}


class Refresh:
    """Authenticates `Bearer` tokens, whose security context the auth server knows."""

    def __init__(self, given: RefreshOptions, refresh_token: str) -> None:
        self._cookies = given.cookies
        self._client = refresh.Client(
            given.url, timeout=given.timeout, skipverify=given.skipverify, follow=given.follow
        )
        self._contexts = Contexts(
            refresh.AuthServer(given.url, self._client),
            cache.Disk(given.cache_path, given.url, lock_timeout=given.lock_timeout),
            refresh_token,
            lifetime=given.lifetime,
            stale=given.stale,
        )
        self._recall = self._contexts.recall

    def recall(self, exchange: Exchange) -> bool:
        header = exchange.request.header(b"authorization")
        if header is None:
            return False
        context = self._recall(header)
        if context is None:
            return False
        exchange.security_context = context
        return True

    async def authenticate(self, exchange: Exchange) -> None:
        header = exchange.request.header(b"authorization")
        if header is None:
            raise Refused("no Authorization header")
        token = bearer(header)
        if token is None:
            raise Refused("the Authorization header is not `Bearer TOKEN`")
        if len(token) > TOKEN_BYTES:
            raise Refused(f"a token of more than {TOKEN_BYTES} bytes")
        cookie = _cookie(exchange.request) if self._cookies else None
        exchange.security_context = await self._contexts.context(header, token, cookie)

    async def open(self) -> None:
        self._client.open()
        await self._contexts.open()

    async def close(self) -> None:
        await self._contexts.close()
        await self._client.close()

    def status(self) -> Mapping[str, Any]:
        return {"backend": "refresh", **self._contexts.status()}


def bearer(header: bytes) -> str | None:
    """Return the token of `Bearer TOKEN`, or None. It allows one space and visible ASCII only."""
    scheme, _, token = header.partition(b" ")
    if scheme != b"Bearer" or not token or not token.isascii() or b" " in token:
        return None
    text = token.decode("ascii")
    return text if text.isprintable() else None


def _basic(request: Request) -> bytes | None:
    scheme, _, encoded = (request.header(b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        credentials = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return credentials if b":" in credentials else None


def _cookie(request: Request) -> str | None:
    header = request.header(b"cookie")
    return header.decode("latin-1") if header is not None and header.isascii() else None


def make(given: BackendOptions, site: Site) -> Backend:
    match given:
        case SimpleOptions():
            return Simple(given)
        case UpstreamOptions():
            return Upstream(given)
        case RefreshOptions():
            return Refresh(given, _refresh_token(site))


def _refresh_token(site: Site) -> str:
    """Return the secret `refresh_token`, else, as in the original, the first secret."""
    if not site.secrets:
        raise StartError("reauth's refresh needs a refresh token: the site has no `secrets`")
    name = "refresh_token" if "refresh_token" in site.secrets else next(iter(site.secrets))
    value = site.secrets[name]
    if value == "":
        raise StartError(
            f"reauth's refresh needs a refresh token: secret {name} is there but empty"
        )
    if not isinstance(value, str):
        raise StartError(f"reauth's refresh needs a refresh token: secret {name} is not a text")
    return value
