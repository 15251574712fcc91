"""Who may use the sandbox: its owner's programs with its keys, and no web page.

A web page may send requests to 127.0.0.1, also under its own name (DNS rebinding). The browser's
headers reveal both.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from opsctl_sandbox.faults import refusals
from opsctl_sandbox.process.keys import Keys
from opsctl_sandbox.wire import codec, models, signature
from opsctl_sandbox.wire.calls import Call, Refused
from opsctl_sandbox.wire.codec import Named
from opsctl_sandbox.wire.http import Answer, Message, Request, Send
from opsctl_sandbox.wire.signature import Key

METADATA = "/_sandbox/metadata/"
_PAGE = "the sandbox answers programs on this machine, and no web page"
_NO_KEY = 'this sandbox has keys of its own: eval "$(opsctl sandbox env)"'


class Access:
    def __init__(
        self,
        keys: Keys,
        port: int,
        *,
        issued: Callable[[str], Key | None],
        forbidden: Callable[[str, Call], str],
        act_for: Callable[[str, str], None],
        skew: Callable[[str], float],
    ) -> None:
        """`issued` knows the keys of IAM and STS; `forbidden` returns why a principal may not make
        a call; `act_for` is told who makes one, and the role that does what it begins.

        `skew` returns by how many seconds this AWS's clock is ahead of the machine's, for the
        operation `service:Operation`.
        """
        self._keys = keys
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._issued = issued
        self._forbidden = forbidden
        self._act_for = act_for
        self._skew = skew

    def stranger(self, request: Request) -> Answer | None:
        """Return a refusal for a request that only a browser, or a foreign host name, sends."""
        headers = request.headers
        page = "origin" in headers or headers.get("sec-fetch-site", "none") != "none"
        if page or headers.get("host", "").lower() not in self._hosts:
            return _forbidden(403, _PAGE)
        return None

    def page(self, request: Request) -> Answer | None:
        """Return a refusal for a page of the sandbox itself; None for its owner and its tasks."""
        if request.path.startswith(f"{METADATA}{self._keys.metadata}/"):
            return None
        if _same(request.headers.get("authorization", ""), self._keys.pages):
            return None
        return _forbidden(401, _NO_KEY)

    def registry(self, request: Request) -> Answer | None:
        """Return a refusal for a call of the registry; None after a login."""
        if _same(request.headers.get("authorization", ""), self._keys.registry):
            return None
        error = Refused("UNAUTHORIZED", "Not Authorized", status=401)
        answer = codec.refusal("registry", error)
        challenge = f'Basic realm="{request.headers["host"]}",service="ecr.amazonaws.com"'
        return Answer(401, {**answer.headers, "www-authenticate": challenge}, answer.body)

    def knows(self, head: Request) -> bool:
        """Whether the request names a key of this sandbox; the signature is checked later."""
        signed = signature.read(head)
        return signed is not None and self._key(signed.access_key) is not None

    def caller(self, request: Request, named: Named | None) -> Key:
        """Return the key that signed the call, if it may make it. Raises `Refused` as AWS does.

        The sandbox's own keys may do everything, like an administrator's.
        """
        dialect = codec.dialect(named) if named else "query"
        signed = signature.read(request)
        if signed is None:
            raise signature.unsigned(dialect)
        key = self._key(signed.access_key)
        if key is None:
            raise signature.unknown_key(dialect)
        operation = f"{named.service}:{named.operation}" if named else ""
        now = datetime.now(UTC) + timedelta(seconds=self._skew(operation))
        signature.check(request, signed, key, now, dialect)
        if named and key not in (self._keys.operator, self._keys.task):
            call = _call(request, named, key)
            self._act_for(key.principal, str(call.parameters.get("RoleARN") or ""))
            sentence = self._forbidden(key.principal, call)
            if sentence:
                raise refusals.refusal("denied", dialect, code="", message=sentence, status=None)
        return key

    def _key(self, access_key: str) -> Key | None:
        ours = {key.id: key for key in (self._keys.operator, self._keys.task)}
        return ours.get(access_key) or self._issued(access_key)


def _call(request: Request, named: Named, key: Key) -> Call:
    account = key.principal.split(":")[4]
    if named.service == "s3":
        operation, parameters = _of_bucket(request)
        return Call("s3", operation, parameters, named.region, account)
    model = models.operation(named.service, named.operation)
    known = codec.parameters(named, model, request) if model else {}
    return Call(named.service, named.operation, known, named.region, account)


def _of_bucket(request: Request) -> tuple[str, dict[str, str]]:
    """Return S3's operation, which follows from the method and what path and query name."""
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    names = {"Bucket": bucket, "Key": key}
    if not bucket:
        return "ListBuckets", {}
    if key:
        verbs = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}
        return verbs.get(request.method, "DeleteObject"), names
    if "publicAccessBlock" in request.query:
        verb = "Get" if request.method == "GET" else "Put"
        return f"{verb}PublicAccessBlock", names
    verbs = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket"}
    return verbs.get(request.method, "DeleteBucket"), names


def without_cors(send: Send) -> Send:
    """Remove ministack's CORS headers, which would let every web page read its answers, and its
    date: the server sends one, and AWS's SDK for JavaScript cannot read two.
    """

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message["headers"]
                if not name.lower().startswith((b"access-control-", b"date"))
            ]
            message = {**message, "headers": kept}
        await send(message)

    return guarded


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _forbidden(status: int, sentence: str) -> Answer:
    return Answer(status, {"content-type": "text/plain"}, f"{sentence}\n".encode())
