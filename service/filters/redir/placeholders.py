"""Caddy v1's request placeholders: `{uri}`, `{>Header}`, `{~cookie}`, `{?argument}`, `{label1}` …

Unknown ones, and those that the service cannot know, become '', as in v1.
"""

import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote_plus

from service.chain import Request

# An escaped brace neither opens nor closes a placeholder.
_PLACEHOLDER = re.compile(r"(?<!\\)\{(.*?)(?<!\\)\}", re.DOTALL)
_LABEL = re.compile(r"label([0-9]{1,3})", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def fill(template: str, request: Request, *, now: Callable[[], datetime] = datetime.now) -> str:
    """Replace every placeholder of `template`; `\\{` and `\\}` are literal braces."""
    if "{" not in template and "}" not in template:
        return template
    pieces = _PLACEHOLDER.split(template)
    for place, piece in enumerate(pieces):
        text = piece.replace("\\{", "{").replace("\\}", "}")
        pieces[place] = _value(text, request, now) if place % 2 else text
    return "".join(pieces)


def _value(name: str, request: Request, now: Callable[[], datetime]) -> str:
    kind, rest = name[:1], name[1:]
    if kind == ">":
        key = rest.lower().encode()
        return ",".join(_text(value) for other, value in request.headers if other == key)
    if kind == "~":
        return _cookie(rest, request)
    if kind == "?":
        arguments = parse_qs(_text(request.query_string), keep_blank_values=True)
        return arguments.get(rest, [""])[0]
    if name.startswith("when"):
        return _time(name, now())
    if match := _LABEL.fullmatch(name):
        labels = _host(request).split(".")
        number = int(match[1])
        return labels[number - 1] if 0 < number <= len(labels) else ""
    return _VALUES[name](request) if name in _VALUES else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _host(request: Request) -> str:
    return _text(request.header(b"host") or b"")


def _host_and_port(request: Request) -> tuple[str, str]:
    host = _host(request)
    name, colon, port = host.rpartition(":")
    if not colon or (":" in name and not name.endswith("]")):
        return host, "443" if request.scheme == "https" else "80"
    return name.strip("[]"), port


def _path(request: Request) -> str:
    return request.path


def _query(request: Request) -> str:
    return _text(request.query_string)


def _uri(request: Request) -> str:
    query = f"?{_query(request)}" if request.query_string else ""
    return _text(request.raw_path) + query


def _cookie(name: str, request: Request) -> str:
    for pair in _text(request.header(b"cookie") or b"").split(";"):
        other, _, value = pair.strip().partition("=")
        if other == name:
            return value.strip('"')
    return ""


def _time(name: str, moment: datetime) -> str:
    local = moment.astimezone()
    seconds = local.timestamp()
    return {
        "when": f"{local:%d}/{_MONTHS[local.month - 1]}/{local:%Y:%H:%M:%S %z}",
        "when_iso_local": f"{local:%Y-%m-%dT%H:%M:%S}",
        "when_iso": f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "when_unix": str(int(seconds)),
        "when_unix_ms": str(int(seconds * 1000)),
    }.get(name, "")


def _escaped(value: Callable[[Request], str]) -> Callable[[Request], str]:
    return lambda request: quote_plus(value(request))


# Nothing here rewrites a request, so `{rewrite_…}` are the original values.
_VALUES: dict[str, Callable[[Request], str]] = {
    "method": lambda request: request.method,
    "scheme": lambda request: request.scheme,
    "hostname": lambda request: socket.gethostname(),
    "host": _host,
    "hostonly": lambda request: _host_and_port(request)[0],
    "server_port": lambda request: _host_and_port(request)[1],
    "path": _path,
    "path_escaped": _escaped(_path),
    "rewrite_path": _path,
    "rewrite_path_escaped": _escaped(_path),
    "query": _query,
    "query_escaped": _escaped(_query),
    "uri": _uri,
    "uri_escaped": _escaped(_uri),
    "rewrite_uri": _uri,
    "rewrite_uri_escaped": _escaped(_uri),
    "request_id": lambda request: request.id,
    "file": lambda request: request.path.rpartition("/")[2],
    "dir": lambda request: request.path[: request.path.rfind("/") + 1],
    "mitm": lambda request: "unknown",
}
