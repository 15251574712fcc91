"""HTTP requests and answers as values, and their conversion from and to ASGI."""

import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_LARGE = 2**20


@dataclass(frozen=True)
class Request:
    """Header names are in lower case; `query` is the raw query string."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def head(scope: Scope) -> Request:
    """Return the request without its body."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], scope["path"], query, headers)


def is_large(head: Request) -> bool:
    """Whether the body is over a mebibyte, or of unknown length."""
    length = head.headers.get("content-length", "0")
    return "transfer-encoding" in head.headers or not length.isdigit() or int(length) > _LARGE


async def read(scope: Scope, receive: Receive) -> Request:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return replace(head(scope), body=b"".join(chunks))


async def write(send: Send, answer: Answer) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    headers = [(name, value) for name, value in headers if name != "content-length"]
    headers.append(("content-length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


async def write_half(send: Send, answer: Answer) -> None:
    """Announce the whole body and send half of it; the server then cuts the connection."""
    half = answer.body[: len(answer.body) // 2]
    length = (b"content-length", str(len(answer.body)).encode())
    kind = (b"content-type", answer.headers.get("content-type", "text/plain").encode())
    start = {"type": "http.response.start", "status": answer.status, "headers": [length, kind]}
    await send(start)
    await send({"type": "http.response.body", "body": half, "more_body": True})


def reset(receive: Receive) -> None:
    """Cut the connection without an answer. ASGI cannot, but uvicorn's cycle has the transport."""
    transport = cast(Any, receive).__self__.transport
    linger = struct.pack("ii", 1, 0)  # close() sends RST, not FIN
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first repeats a body that was read, then the client's messages."""
    pending = [body]

    async def receive_again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again


async def exchange(application: Application, scope: Scope, request: Request) -> Answer:
    """Send one request to an ASGI application and return the whole answer."""
    pending = [request.body]
    sent: list[Message] = []

    async def receive() -> Message:
        body = pending.pop() if pending else b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    inner = dict(scope)
    inner["method"], inner["path"] = request.method, request.path
    inner["raw_path"] = request.path.encode("latin-1")
    inner["query_string"] = request.query.encode("latin-1")
    inner["headers"] = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in {**request.headers, "content-length": str(len(request.body))}.items()
    ]
    await application(inner, receive, send)
    return collected(sent)


def collected(sent: Sequence[Message]) -> Answer:
    """Return a whole answer's messages as one value."""
    started, *rest = sent
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in started["headers"]}
    return Answer(started["status"], headers, b"".join(one.get("body", b"") for one in rest))
