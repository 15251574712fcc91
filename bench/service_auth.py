"""An auth server of revision A on the loopback, that lets everybody in to the cid `bench`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Auth(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer({"jwt_token": "access"})

    def do_GET(self) -> None:
        self._answer({"scope": {"cids": ["bench"]}})

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Auth)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
