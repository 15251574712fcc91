"""awscloudwatch: its four arguments, what is logged at which level, once, and answered once."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from service import caddyfile
from service.chain import Exchange, Handler, Request, Response, Site, link
from service.cloudwatch.stream import LogEvent, Rejected
from service.errors import CaddyfileError, FilterError, ServiceError, StartError
from service.filters import awscloudwatch


def parse(text: str) -> awscloudwatch.Options:
    blocks = caddyfile.parse(f":80 {{\n{text}\n}}", "Testfile", environment={})
    (directive,) = blocks[0].directives
    return awscloudwatch.parse(directive)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("error app root 65536", ("error", "app", "root", 65536)),
        ('WARN "/aws/app-1.x_y#" dev/ 1', ("warning", "/aws/app-1.x_y#", "dev/", 1)),
        ('panic app "" 10', ("panic", "app", "", 10)),
    ],
)
def test_four_arguments_in_their_order(text: str, options: tuple[object, ...]) -> None:
    assert parse(f"awscloudwatch {text}") == awscloudwatch.Options(*options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "takes four arguments"),
        ("error app root", "it got 3 arguments"),
        ("error app root 1 2", "it got 5 arguments"),
        ("error app root 1 {\n}", "no block"),
        ("app root 65536 error", "unknown log level app; allowed are debug, info, warning, error"),
        ("error a:b root 1", "'a:b' is not the name of a log group"),
        ('error "" root 1', "'' is not the name of a log group"),
        ("error app a:b 1", "'a:b' cannot begin the name of a log stream"),
        ("error app root 0", "'0' is not the size of a buffer"),
        ("error app root -1", "'-1' is not the size"),
        ("error app root 64k", "'64k' is not the size"),
        ("error app root \u0665", "is not the size"),
        ("error app root 99999999", "is not the size"),
    ],
)
def test_anything_else_is_an_error_at_its_line(text: str, message: str) -> None:
    with pytest.raises(CaddyfileError, match=message) as caught:
        parse(f"awscloudwatch {text}")
    assert str(caught.value).startswith("Testfile:2 - ")


class Collector:
    interval = 0.01

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def open(self) -> str:
        return "collected"

    def write(self, batch: Sequence[LogEvent]) -> Rejected | None:
        self.lines += [json.loads(each.message) for each in batch]
        return None


REQUEST = Request("GET", b"/v1/a%20b", path="/v1/a b", query_string=b"t=canary-77", id="r-1")


def run(level: str, end: Handler) -> tuple[Response | Exception, list[dict[str, Any]], Site]:
    site = Site("", 80)
    sink = Collector()
    options = awscloudwatch.Options(level, "app", "root", 100)
    logs = awscloudwatch.build((options,), site, lambda: sink)
    assert logs is not None
    handler = link([logs], end)

    async def main() -> Response | Exception:
        for start in site.startup:
            await start()
        try:
            return await handler(Exchange(REQUEST))
        except Exception as error:
            return error
        finally:
            for stop in site.shutdown:
                await stop()

    return asyncio.run(main()), sink.lines, site


def fails(error: Exception, cause: Exception | None = None) -> Handler:
    async def end(exchange: Exchange) -> Response:
        raise error from cause

    return end


def answers(status: int) -> Handler:
    async def end(exchange: Exchange) -> Response:
        return Response(status)

    return end


def test_an_error_is_logged_once_with_its_request_and_goes_on() -> None:
    error = FilterError(502, "the auth server cannot be asked")
    result, lines, site = run("error", fails(error, ServiceError("GET /v1/x: status 500")))
    assert result is error
    (line,) = lines
    duration = line.pop("duration_ms")
    moment = line.pop("time")
    assert 0 <= duration < 1000
    assert moment.endswith("Z")
    assert line == {
        "level": "error",
        "request_id": "r-1",
        "method": "GET",
        "path": "/v1/a%20b",
        "status": 502,
        "error": "the auth server cannot be asked",
        "cause": "GET /v1/x: status 500",
    }
    assert site.status["awscloudwatch"]()["sent"] == 1


def test_an_unexpected_error_is_logged_with_its_traceback() -> None:
    error = KeyError("reply")
    result, (line,), _ = run("error", fails(error))
    assert result is error
    assert (line["level"], line["status"], line["error"]) == ("error", 500, "KeyError")
    assert "in end" in line["traceback"]
    assert line["traceback"].endswith("KeyError: 'reply'\n")


def test_a_foreign_cause_is_not_quoted() -> None:
    error = FilterError(400, "bad number")
    _, (line,), _ = run("info", fails(error, ValueError("canary")))
    assert "canary" not in json.dumps(line)


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (fails(RuntimeError()), "error"),
        (fails(FilterError(500, "x")), "error"),
        (fails(FilterError(504, "x")), "error"),
        (fails(FilterError(401, "x")), "warning"),
        (fails(FilterError(403, "x")), "warning"),
        (fails(FilterError(404, "x")), "info"),
        (answers(503), "error"),
        (answers(401), "warning"),
        (answers(404), "info"),
        (answers(200), "debug"),
    ],
)
@pytest.mark.parametrize("threshold", awscloudwatch.LEVELS)
def test_only_what_reaches_the_level_is_logged(
    outcome: Handler, level: str, threshold: str
) -> None:
    _, lines, _ = run(threshold, outcome)
    is_wanted = awscloudwatch.LEVELS.index(level) >= awscloudwatch.LEVELS.index(threshold)
    assert [line["level"] for line in lines] == ([level] if is_wanted else [])
    assert "canary" not in json.dumps(lines)


def test_a_start_error_of_the_sink_stops_the_start() -> None:
    class Missing(Collector):
        def open(self) -> str:
            raise StartError("log group app does not exist")

    site = Site("", 80)
    awscloudwatch.build((awscloudwatch.Options("error", "app", "r", 1),), site, Missing)
    with pytest.raises(StartError, match="does not exist"):
        asyncio.run(_all(site))


async def _all(site: Site) -> None:
    for start in site.startup:
        await start()
