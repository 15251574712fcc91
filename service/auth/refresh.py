"""Call the auth server of revision A over HTTP. Only this module uses httpx; all is async.

It is strict: only a 200 with a JSON object is an answer; a refusal raises `Refused`; everything
else raises `Unavailable`, after one retry. URLs and bodies are never quoted, so no token gets into
a text.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from service.auth.errors import Refused, Unavailable
from service.trust import tls

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 256 * 1024  # bytes
MAX_CALLS = 160  # at one time
MAX_REDIRECTS = 5
RETRY_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Client:
    """A connection pool with the options of one backend. Stores no cookies.

    `follow` follows redirects of a GET within the server's own origin. Any other redirect would
    send a token to a server that was not configured to get it.
    """

    def __init__(self, url: str, *, timeout: float, skipverify: bool, follow: bool) -> None:
        self._timeout = timeout
        self._skipverify = skipverify
        self._follow = follow
        self._needs_tls = url.startswith("https:")
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        # Imported here: httpx takes 14 MB, which a site without an auth server does not need.
        import httpx

        # httpx logs each URL at INFO, and ours contain the client's token.
        for name in ("httpx", "httpcore.http11", "httpcore.connection"):
            logger = logging.getLogger(name)
            if _never not in logger.filters:
                logger.addFilter(_never)
        self._client = httpx.AsyncClient(
            verify=self._trust(),
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout),
            limits=httpx.Limits(max_connections=MAX_CALLS, max_keepalive_connections=16),
            trust_env=False,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            # A cookie that the server sets for one client must not be sent for the next one.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def _trust(self) -> ssl.SSLContext:
        if not self._needs_tls:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody and loads nothing
        context = tls.context()
        if self._skipverify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one attempt, with limits for its whole time and size."""
        import httpx

        if self._client is None:
            raise Unavailable("the client is closed")
        request = self._client.build_request(method, url, headers=headers, data=form)
        try:
            async with asyncio.timeout(self._timeout):
                for _ in range(MAX_REDIRECTS + 1):
                    answer, onward = await self._exchange(request)
                    if onward is None:
                        return answer
                    request = onward
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(f"no answer in {self._timeout:g} s", timed_out=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise Unavailable(_reason(error)) from None
        raise Unavailable(f"more than {MAX_REDIRECTS} redirects")

    async def _exchange(self, request: "httpx.Request") -> "tuple[Answer, httpx.Request | None]":
        """Return the answer, and the request of its redirect, if any."""
        assert self._client is not None
        response = await self._client.send(request, stream=True)
        try:
            onward = response.next_request
            if onward is not None and self._follow:
                if request.method != "GET":
                    raise Unavailable("a redirect of a POST, which is never followed")
                if _origin(onward) != _origin(request):
                    raise Unavailable("a redirect to another server, which is never followed")
                return Answer(response.status_code, b""), onward
            body = b""
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise Unavailable(f"an answer of more than {MAX_ANSWER} bytes")
            return Answer(response.status_code, body), None
        finally:
            await response.aclose()


def _origin(request: "httpx.Request") -> tuple[str, str, int | None]:
    return request.url.scheme, request.url.host, request.url.port


class AuthServer:
    """The two calls of revision A."""

    def __init__(
        self,
        url: str,
        client: Client,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._client = client
        self._sleep = sleep
        self.calls = 0

    async def access_token(self, refresh_token: str, cookie: str | None = None) -> str:
        """Exchange the refresh token.

        If it is refused, that is the service's fault, not the client's.
        """
        url = f"{self._url}/v1/access_token"
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        try:
            fields = await self._ask("POST", url, _headers(cookie), form)
        except Refused as refused:
            raise Unavailable(f"our refresh token was not accepted: {refused}") from None
        token = fields.get("jwt_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unavailable("POST /v1/access_token: no jwt_token in the answer")
        return token

    async def security_context(
        self, access_token: str, client_token: str, cookie: str | None = None
    ) -> Mapping[str, Any]:
        query = urlencode({"access_token": client_token})
        url = f"{self._url}/v1/security_context?{query}"
        headers = {"authorization": f"Bearer {access_token}", **_headers(cookie)}
        return await self._ask("GET", url, headers)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        call = f"{method} {url.removeprefix(self._url).partition('?')[0]}"
        for is_last in (False, True):
            self.calls += 1
            try:
                return verdict(await self._client.send(method, url, headers, form))
            except Unavailable as error:
                if is_last:
                    raise Unavailable(f"{call}: {error}", timed_out=error.timed_out) from None
            await self._sleep(RETRY_PAUSE)
        raise AssertionError("unreachable")


def verdict(answer: Answer) -> Mapping[str, Any]:
    """Return the answer's JSON object. Raises Refused or Unavailable for anything else."""
    try:
        fields = orjson.loads(answer.body)
    except ValueError:
        fields = None
    # 414 and 431: what the client sent is too long, which is the client's fault.
    if answer.status in (400, 401, 403, 414, 431):
        raise Refused(f"the auth server said {answer.status}")
    if answer.status != 200:
        raise Unavailable(f"status {answer.status}")
    if not isinstance(fields, dict):
        raise Unavailable("the answer is not a JSON object")
    if fields.get("error") is not None:
        raise Refused("the auth server said 200 with an error")
    if fields.get("message") == "Forbidden":
        raise Refused("the auth server said Forbidden")
    return fields


def _headers(cookie: str | None) -> dict[str, str]:
    return {} if cookie is None else {"cookie": cookie}


def _never(record: logging.LogRecord) -> bool:
    return False


def _reason(error: BaseException) -> str:
    """Return the kind of error with the system's or TLS's words, never the library's text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"{type(error).__name__}: {seen.verify_message}"
        if isinstance(seen, OSError) and seen.strerror:
            return f"{type(error).__name__}: {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
