"""CloudWatch Logs over real HTTP on loopback: pages, delays, refusals, and Live Tail.

Used by the tests, and by `bench` for the same reading by us and by awslogs.
"""

import json
import struct
import time
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Event = dict[str, Any]
_ARN = "arn:aws:logs:us-east-1:1:log-group"
_PUSHED = ("logStreamName", "message", "timestamp", "ingestionTime")


class LogServer:
    """Each event appears when its first element, epoch seconds, has come."""

    def __init__(self, group: str, events: Sequence[tuple[float, Event]]) -> None:
        self.group = group
        self.events = sorted(events, key=lambda pair: pair[1]["timestamp"])
        self.page = 10_000
        self.throttle = 0
        self.refuse_tokens = 0
        self.empty_first_pages = False
        self.calls = 0
        self.pushing: Pushing | None = None
        self.expired_until_call = 0
        self._lock = Lock()
        self._pages: dict[tuple[int, int, int, int], bytes] = {}
        self._stamps = [event["timestamp"] for _, event in self.events]
        self._all_visible = max((seen for seen, _ in self.events), default=0.0)

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, bytes]:
        if operation == "DescribeLogGroups":
            group = {"logGroupName": self.group, "logGroupArn": f"{_ARN}:{self.group}"}
            return 200, json.dumps({"logGroups": [group]}).encode()
        if operation == "DescribeLogStreams":
            names = sorted({event["logStreamName"] for _, event in self.events})
            streams = [{"logStreamName": name} for name in names]
            return 200, json.dumps({"logStreams": streams}).encode()
        with self._lock:
            self.calls += 1
            call = self.calls
        if request["logGroupName"] != self.group:
            return 400, _refusal("ResourceNotFoundException")
        if call <= self.expired_until_call:
            return 400, _refusal("ExpiredTokenException")
        if self.throttle and call % self.throttle == 0:
            return 400, _refusal("ThrottlingException")
        token = request.get("nextToken")
        if token and self.refuse_tokens:
            self.refuse_tokens -= 1
            return 400, _refusal("InvalidParameterException")
        if self.empty_first_pages and not token:
            return 200, b'{"events": [], "nextToken": "0"}'
        return 200, self._page(request, int(token or 0))

    def _page(self, request: dict[str, Any], start: int) -> bytes:
        first = bisect_left(self._stamps, request.get("startTime") or 0)
        last = bisect_right(self._stamps, request.get("endTime") or 1 << 62)
        size = min(self.page, request.get("limit") or self.page)
        now = time.time()
        settled = now > self._all_visible
        key = (first, last, start, size)
        # What never changes is serialized once: the server must not be what a bench measures.
        if settled and key in self._pages:
            return self._pages[key]
        events = [event for seen, event in self.events[first:last] if seen <= now]
        answer: dict[str, Any] = {"events": events[start : start + size]}
        if start + size < len(events):
            answer["nextToken"] = str(start + size)
        body = json.dumps(answer).encode()
        if settled:
            self._pages[key] = body
        return body


@dataclass
class Pushing:
    """How a session of Live Tail goes: it shows `shown` of three lines, and ends after a time."""

    shown: int = 3
    seconds: float = 3.0
    sessions: int = 0

    def updates(self, logs: LogServer) -> Iterator[bytes]:
        self.sessions += 1
        begun = last = time.time()
        yield message("initial-response", {})
        yield message("sessionStart", {"sessionId": str(self.sessions)})
        while (now := time.time()) < begun + self.seconds:
            new = [event for seen, event in logs.events if last < seen <= now]
            results = [
                {
                    "logGroupIdentifier": f"1:{logs.group}",
                    **{name: event[name] for name in _PUSHED},
                }
                for number, event in enumerate(new)
                if number % 3 < self.shown
            ]
            sampled = len(results) < len(new)
            metadata = {"sampled": sampled}
            yield message("sessionUpdate", {"sessionMetadata": metadata, "sessionResults": results})
            last = now
            time.sleep(0.1)


def message(kind: str, payload: Mapping[str, Any]) -> bytes:
    """As application/vnd.amazon.eventstream has it: lengths, headers, payload, two checksums."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
        for name, value in (
            (":message-type", "event"),
            (":event-type", kind),
            (":content-type", "application/json"),
        )
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def _refusal(code: str) -> bytes:
    return json.dumps({"__type": code, "message": code}).encode()


@contextmanager
def serving(logs: LogServer) -> Iterator[str]:
    """The endpoint's URL, on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["X-Amz-Target"].endswith("StartLiveTail") and logs.pushing:
                self._push(logs.pushing)
                return
            status, body = logs.answer(self.headers["X-Amz-Target"].rpartition(".")[2], request)
            self.send_response(status)  # sets Date
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _push(self, pushing: Pushing) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.amazon.eventstream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for update in pushing.updates(logs):
                try:
                    self.wfile.write(update)
                    self.wfile.flush()
                except OSError:
                    return

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
