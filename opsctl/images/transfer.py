"""Copy an image from one repository of a registry to another, without a Docker engine.

This uses the registry's own protocol: layers are linked where possible, others are sent through
here. The manifest goes last and unchanged, so the digest stays the same. Source: the OCI
distribution specification 1.1, which ECR implements with user `AWS` and its token.
"""

import base64
import hashlib
import http.client
import json
import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from opsctl import aws
from opsctl.docker import Progress
from opsctl.errors import DockerError
from opsctl.images.registry import Login, Repository

T = TypeVar("T")
_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ATTEMPTS, _REDIRECTS, _MOVED = 4, 5, (301, 302, 303, 307, 308)
_CONNECT, _TIMEOUT = 10, 60  # seconds until it answers, and of silence later
_LONGEST = 3600.0  # seconds for one answer: the largest layer over a slow line
_LARGEST_MANIFEST = 4 * 1024 * 1024  # bytes, the specification's limit
_EMPTY = {"Content-Length": "0"}
# One connection per request: an answer may be read while another request is sent.
_ALWAYS = {"Connection": "close", "User-Agent": "opsctl"}
# What a manifest, a config or an error of another form than the specification's leads to.
_ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_LOCAL = ("127.", "localhost", "[::1]")


class _Broken(Exception):
    """Raised for a broken connection or a registry error, which are worth another attempt."""


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}".strip())
        self.status = status


def copy(
    source: Repository,
    target: Repository,
    digest: str,
    *,
    tag: str,
    login: Login,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Progress]:
    """Copy the image with this digest and tag it. The last item's `result` is the digest.

    Both repositories are in one registry. Raises DockerError when that refuses or does not answer.
    """
    link = _Link(source.uri.partition("/")[0], login, sleep)
    try:
        yield from _image(link, source.name, target.name, digest, tag)
    except _Refused as error:
        hint = (
            f"allow this caller to read `{source.name}` (ecr:BatchGetImage, "
            f"ecr:GetDownloadUrlForLayer) and to write `{target.name}` (ecr:PutImage and the "
            "layer uploads)"
        )
        raise DockerError(
            f"`{digest}` cannot be copied from `{source.name}` to `{target.name}`: {error}",
            hint=hint if error.status in (401, 403) else None,
        ) from error
    except _Broken as error:
        raise DockerError(
            f"copying from `{source.name}` broke off: {error}",
            hint="run the same command again; layers that arrived are kept",
        ) from error
    except _ODD as error:
        raise DockerError(
            f"`{digest}` of `{source.name}` cannot be copied: its manifest makes no sense",
            hint="roll another image: opsctl history",
        ) from error
    yield Progress("copied", result=digest)


def labels(repository: Repository, digest: str, *, login: Login) -> Mapping[str, str]:
    """Return the image's labels; of an index, its first image's.

    Returns {} when they cannot be read.
    """
    link = _Link(repository.uri.partition("/")[0], login, lambda seconds: None, attempts=1)
    try:
        manifest = json.loads(link.manifest(repository.name, digest)[0])
        if children := manifest.get("manifests"):
            manifest = json.loads(link.manifest(repository.name, children[0]["digest"])[0])
        config = json.loads(link.blob(repository.name, manifest["config"]["digest"]))
        given = config.get("config", {}).get("Labels") or {}
        return {str(name): str(value) for name, value in given.items()}
    except (_Broken, _Refused, *_ODD):
        return {}


def _image(
    link: "_Link", source: str, target: str, digest: str, reference: str
) -> Iterator[Progress]:
    body, kind = link.manifest(source, digest)
    manifest = json.loads(body)
    for child in manifest.get("manifests", ()):
        yield from _image(link, source, target, child["digest"], child["digest"])
    blobs = [manifest["config"]] if "config" in manifest else []
    for blob in [*blobs, *manifest.get("layers", ())]:
        # A layer with its own URLs is not in the registry.
        if not blob.get("urls"):
            yield from _blob(link, source, target, blob["digest"], int(blob.get("size", 0)))
    link.attempt(
        "PUT", f"/v2/{target}/manifests/{reference}", body=body, headers={"Content-Type": kind}
    )


def _blob(link: "_Link", source: str, target: str, digest: str, size: int) -> Iterator[Progress]:
    layer = digest.partition(":")[2][:12]
    if link.has(target, digest) or link.mounted(source, target, digest):
        yield Progress("already there", layer, size, size)
        return
    yield Progress("copying", layer, 0, size)
    link.sent(source, target, digest)
    yield Progress("copied", layer, size, size)


class _Link:
    """Sends requests to one registry, and repeats each while the connection breaks."""

    def __init__(
        self,
        host: str,
        login: Login,
        sleep: Callable[[float], None],
        *,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._base = f"{'http' if host.startswith(_LOCAL) else 'https'}://{host}"
        token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._sleep = sleep
        self._attempts = attempts
        self._trust: ssl.SSLContext | None = None

    def manifest(self, repository: str, digest: str) -> tuple[bytes, str]:
        """Return the manifest's bytes and media type.

        Raises _Broken when they do not match the digest.
        """

        def read() -> tuple[bytes, str]:
            path = f"/v2/{repository}/manifests/{digest}"
            with self._opened("GET", path, headers={"Accept": ", ".join(_TYPES)}) as answer:
                body = answer.read(_LARGEST_MANIFEST)
                kind = answer.headers.get("Content-Type", _TYPES[2])
            if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
                raise _Broken(f"the manifest of {digest} arrived damaged")
            return body, kind

        return self._repeat(read)

    def blob(self, repository: str, digest: str) -> bytes:
        """Return a small blob, such as an image's config."""
        with self._opened("GET", f"/v2/{repository}/blobs/{digest}") as answer:
            return answer.read(_LARGEST_MANIFEST)

    def has(self, repository: str, digest: str) -> bool:
        try:
            self.attempt("HEAD", f"/v2/{repository}/blobs/{digest}")
        except _Refused as error:
            if error.status != 404:
                raise
            return False
        return True

    def mounted(self, source: str, target: str, digest: str) -> bool:
        """Return whether the registry linked the layer. If not, it began an upload that stays
        unused.

        ECR links where the account allows it.
        """
        query = urlencode({"mount": digest, "from": source})
        status, _ = self.attempt("POST", f"/v2/{target}/blobs/uploads/?{query}", headers=_EMPTY)
        return status == 201

    def sent(self, source: str, target: str, digest: str) -> None:
        def send() -> None:
            _, begun = self._once("POST", f"/v2/{target}/blobs/uploads/", headers=_EMPTY)
            with self._opened("GET", f"/v2/{source}/blobs/{digest}") as content:
                headers = {"Content-Type": "application/octet-stream"}
                if length := content.headers.get("Content-Length"):
                    headers["Content-Length"] = length
                _, went = self._once("PATCH", begun, body=content, headers=headers)
            end = went or begun
            mark = "&" if "?" in end else "?"
            address = f"{end}{mark}{urlencode({'digest': digest})}"
            self._once("PUT", address, headers=_EMPTY)

        self._repeat(send)

    def attempt(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        """Return the status and the Location header."""
        return self._repeat(lambda: self._once(method, path, **more))

    def _once(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        with self._opened(method, path, **more) as answer:
            location = answer.headers.get("Location") or ""
            answer.read(_LARGEST_MANIFEST)
            return answer.status, urljoin(urljoin(self._base, path), location) if location else ""

    @contextmanager
    def _opened(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | http.client.HTTPResponse | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """Yield the response.

        Follows redirects of a GET without the token: ECR keeps layers in S3.
        """
        url, own = urljoin(self._base, path), True
        for _ in range(_REDIRECTS):
            given = {**_ALWAYS, **(self._headers if own else {}), **(headers or {})}
            with (
                _broken(),
                closing(self._connection(url)) as connection,
                _response(connection, method, url, body, given) as answer,
            ):
                if method != "GET" or answer.status not in _MOVED:
                    yield _accepted(answer)
                    return
                url = urljoin(url, answer.headers.get("Location", ""))
                own = url.startswith(f"{self._base}/")
        raise _Refused(310, "too many redirects")

    def _connection(self, url: str) -> http.client.HTTPConnection:
        """Return an open connection, by the proxy through which AWS's clients go."""
        parts, proxy = urlsplit(url), aws.proxy(url)
        # A proxy's own TLS is not supported: what follows `https://` is reached as `http://` is.
        first = urlsplit(proxy.url) if proxy else parts
        address = first.hostname or "", first.port or (80 if proxy else None)
        if parts.scheme == "https":
            context = self._trust = self._trust or aws.trust()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                *address, timeout=_CONNECT, context=context
            )
        else:
            connection = http.client.HTTPConnection(*address, timeout=_CONNECT)
        if proxy:
            connection.set_tunnel(parts.hostname or "", parts.port, dict(proxy.headers))
        connection.response_class = aws.response(_LONGEST, math.inf)
        connection.connect()
        connection.sock.settimeout(_TIMEOUT)
        return connection

    def _repeat(self, call: Callable[[], T]) -> T:
        for attempt in range(1, self._attempts):
            try:
                return call()
            except _Broken:
                self._sleep(2.0**attempt)
        return call()


def _response(
    connection: http.client.HTTPConnection,
    method: str,
    url: str,
    body: Any,
    headers: Mapping[str, str],
) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    target = f"{parts.path}{f'?{parts.query}' if parts.query else ''}"
    connection.request(method, target, body=body, headers=dict(headers))
    return connection.getresponse()


@contextmanager
def _broken() -> Iterator[None]:
    """Raise _Broken for errors of a request or of reading its response."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Broken(str(error) or type(error).__name__) from error


def _accepted(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if answer.status < 400:
        return answer
    text = answer.read(2000).decode(errors="replace")
    reason = _reason(text) or answer.reason
    if answer.status >= 500 or answer.status in (408, 429):
        raise _Broken(f"{answer.status} {reason}")
    raise _Refused(answer.status, reason)


def _reason(text: str) -> str:
    """Return the message of an error in the specification's format, or ''."""
    try:
        first = json.loads(text)["errors"][0]
        return str(first.get("message") or first.get("code") or "")
    except _ODD:
        return ""
