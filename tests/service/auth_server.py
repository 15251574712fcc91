"""A real HTTP server of revision A on the loopback, which can be told to misbehave."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

REFRESH_TOKEN = "canary-refresh-1c9e"
ACCESS_TOKEN = "canary-access-77a0"
CLIENT_TOKEN = "canary-client+/42=="
CONTEXT = {"user": "u1", "scope": {"cids": ["abc", "def"]}}


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, list[str]]
    form: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0


def answer(call: Call) -> Reply:
    """What a well-behaved auth server says."""
    if call.path == "/v1/access_token":
        if call.form.get("refresh_token") != [REFRESH_TOKEN]:
            return Reply(403, b'{"message": "Forbidden"}')
        return Reply(body=json.dumps({"jwt_token": ACCESS_TOKEN}).encode())
    if call.path != "/v1/security_context":
        return Reply(404)
    if call.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
        return Reply(401, b'{"error": "access token"}')
    if call.query.get("access_token") != [CLIENT_TOKEN]:
        return Reply(200, b'{"message": "Forbidden"}')
    return Reply(body=json.dumps(CONTEXT).encode())


@dataclass
class AuthServer:
    url: str
    answer: Callable[[Call], Reply] = answer
    calls: list[Call] = field(default_factory=list)

    def count(self, path: str) -> int:
        return sum(call.path == path for call in self.calls)


@contextmanager
def serve(certificate: Path | None = None) -> Iterator[AuthServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {key.lower(): value for key, value in self.headers.items()}
            query = parse_qs(parts.query)
            call = Call(self.command, parts.path, query, parse_qs(body), headers)
            server.calls.append(call)
            reply = server.answer(call)
            if reply.delay:
                time.sleep(reply.delay)
            self.send_response(reply.status)
            for header in reply.headers:
                self.send_header(*header)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # the client hung up, as it should

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None: ...

    listener = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        scheme = "https"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener.socket = context.wrap_socket(
            listener.socket, server_side=True, do_handshake_on_connect=False
        )
    server = AuthServer(f"{scheme}://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def self_signed(folder: Path) -> Path:
    """A certificate that nobody vouches for, with its key, made on the spot."""
    file = folder / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-days", "1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    command += ["-keyout", str(file), "-out", str(folder / "only.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    file.write_bytes(file.read_bytes() + (folder / "only.pem").read_bytes())
    return file
