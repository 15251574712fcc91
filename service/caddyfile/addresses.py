"""Parse a server block's key into the address a site listens on, by Caddy v1's rules.

TLS ends before the service, and a site serves all paths, so `https` and paths are refused.
"""

import re
from dataclasses import dataclass

from service.caddyfile import Token
from service.errors import CaddyfileError

HTTP, HTTPS, DEFAULT = 80, 443, 2015  # v1's defaults
_KEY = re.compile(
    r"((?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)?(?P<slashes>//|://))?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:?#@\[\]]*)"
    r"(:(?P<port>[0-9]*|https?))?"
    r"(?P<path>/.*)?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """`host` is in lower case, or '' for every host; `port` is always set."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(token: Token) -> Address:
    """Parse a key. Raises CaddyfileError with the key's own line."""
    match = _KEY.fullmatch(token.text)
    if match is None:
        raise _error(token, "is not an address; allowed are `:PORT`, `HOST:PORT`, `http://HOST`")
    scheme = (match["scheme"] or "").lower()
    if scheme not in ("", "http", "https"):
        raise _error(token, f"has the scheme '{scheme}'; allowed is http")
    port = _port(token, match["port"] or "", scheme)
    if (scheme, port) in (("http", HTTPS), ("https", HTTP)):
        raise _error(token, "scheme and port violate convention")
    if scheme == "https" or port == HTTPS:
        raise _error(token, "asks for TLS, which ends at the load balancer; allowed is http")
    if (match["path"] or "/") != "/":
        raise _error(token, "has a path; a site serves all paths of its address")
    return Address(match["host"].strip("[]").lower(), port)


def _port(token: Token, text: str, scheme: str) -> int:
    named = {"": scheme, "http": "http", "https": "https"}.get(text)
    if named is not None:
        return {"http": HTTP, "https": HTTPS}.get(named, DEFAULT)
    port = int(text) if len(text) <= 5 else 0
    if not 0 < port < 65536:
        raise _error(token, "has a port that is not between 1 and 65535")
    return port


def _error(token: Token, message: str) -> CaddyfileError:
    return CaddyfileError(f"[{token.text}] {message}", file=token.file, line=token.line)
