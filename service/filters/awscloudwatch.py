"""`awscloudwatch LEVEL GROUP STREAM_ROOT BUFFER`: log each error of the filters below once.

The error continues to the site's application, which answers once. Levels: an unexpected exception
(with its traceback) and a status of 500 or more are `error`, 401 and 403 `warning`, other refusals
`info`, and everything else `debug`.
"""

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.caddyfile import Directive
from service.chain import Exchange, Filter, Handler, Request, Response, Site, in_thread
from service.cloudwatch import sinks
from service.cloudwatch.stream import LogStream, Sink, event
from service.errors import CaddyfileError, FilterError, ServiceError

LEVELS = ("debug", "info", "warning", "error", "fatal", "panic")
_MAX_TRACEBACK = 64 * 1024
_MAX_BUFFER = 10_000_000


@dataclass(frozen=True, slots=True)
class Options:
    level: str
    group: str
    stream_root: str
    buffer: int


def parse(directive: Directive) -> Options:
    def error(message: str) -> CaddyfileError:
        return CaddyfileError(message, file=directive.file, line=directive.line)

    if len(directive.args) != 4 or directive.block is not None:
        raise error(
            "awscloudwatch takes four arguments, LEVEL GROUP STREAM_ROOT BUFFER, and no block;"
            f" it got {len(directive.args)} arguments"
        )
    level, group, root, buffer = (token.text for token in directive.args)
    level = {"warn": "warning"}.get(level.lower(), level.lower())
    if level not in LEVELS:
        raise error(f"unknown log level {level}; allowed are {', '.join(LEVELS)} and warn")
    if not re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", group):
        raise error(f"{group!r} is not the name of a log group: 1 to 512 of A-Z a-z 0-9 . - _ / #")
    if not re.fullmatch(r"[^:*\x00-\x1f]{0,400}", root):
        raise error(f"{root!r} cannot begin the name of a log stream: up to 400, but : and *")
    if not re.fullmatch(r"[0-9]{1,8}", buffer) or not 1 <= int(buffer) <= _MAX_BUFFER:
        raise error(f"{buffer!r} is not the size of a buffer: 1 to {_MAX_BUFFER} events")
    return Options(level, group, root, int(buffer))


def build(
    options: tuple[Options, ...], site: Site, choose: Callable[[], Sink] | None = None
) -> Filter | None:
    (one,) = options
    logs = AwsCloudWatch(one, site, choose)
    site.startup.append(logs.open)
    site.shutdown.append(logs.close)
    site.status["awscloudwatch"] = logs.status
    site.logs_errors = True
    return logs


class AwsCloudWatch:
    def __init__(
        self, options: Options, site: Site, choose: Callable[[], Sink] | None = None
    ) -> None:
        self._options = options
        self._site = site
        self._choose = choose or self._by_credentials
        self._threshold = LEVELS.index(options.level)
        self._stream: LogStream | None = None
        # The lowest status of a response that is logged.
        lowest = {"debug": 100, "info": 400, "warning": 401, "error": 500}
        self._lowest = lowest.get(options.level, 1000)

    async def __call__(self, exchange: Exchange, call_next: Handler) -> Response:
        begin = time.perf_counter()
        try:
            response = await call_next(exchange)
        except Exception as error:
            self._log_error(exchange.request, error, time.perf_counter() - begin)
            raise
        if response.status >= self._lowest:
            level = level_of(response.status)
            self._log(level, exchange.request, response.status, time.perf_counter() - begin)
        return response

    async def open(self) -> None:
        self._stream = await in_thread(self._connect)

    async def close(self) -> None:
        if self._stream is not None:
            await asyncio.to_thread(self._stream.close)

    def status(self) -> dict[str, Any]:
        return dict(self._stream.status()) if self._stream else {}

    def _connect(self) -> LogStream:
        last_resort = sinks.Stderr(sys.stderr).write
        stream = LogStream(self._choose(), self._options.buffer, last_resort=last_resort)
        stream.open()
        return stream

    def _by_credentials(self) -> Sink:
        return sinks.choose(
            self._options.group,
            self._options.stream_root,
            container=partial(sinks.container_id, self._site.container_metadata_uri),
            stderr=sys.stderr,
        )

    def _log_error(self, request: Request, error: Exception, seconds: float) -> None:
        if isinstance(error, FilterError):
            # The cause is logged if it is our own error, whose text contains no secret.
            cause = error.__cause__
            fields = {"cause": str(cause)} if isinstance(cause, ServiceError) else {}
            self._log(
                level_of(error.status), request, error.status, seconds, error=error.detail, **fields
            )
        else:
            text = "".join(traceback.format_exception(error, limit=-50))[-_MAX_TRACEBACK:]
            name = type(error).__name__
            self._log("error", request, 500, seconds, error=name, traceback=text)

    def _log(
        self, level: str, request: Request, status: int, seconds: float, **fields: Any
    ) -> None:
        if self._stream is None or LEVELS.index(level) < self._threshold:
            return
        line = event(
            time.time(),
            level,
            request_id=request.id,
            method=request.method,
            path=request.raw_path.decode("latin-1"),
            status=status,
            duration_ms=round(seconds * 1000, 3),
            **fields,
        )
        self._stream.put(line)


def level_of(status: int) -> str:
    if status >= 500:
        return "error"
    if status in (401, 403):
        return "warning"
    return "info" if status >= 400 else "debug"
