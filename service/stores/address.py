"""Parse a Redis address: `host`, `host:port`, `redis://…`, `rediss://…` (TLS) or `unix:/path`."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """An address. `path` is that of a Unix socket; without it, host and port apply."""

    host: str = ""
    port: int = 6379
    path: str = ""
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}"


def parse(text: str) -> Address:
    """Parse an address.

    Raises ValueError with what is wrong, without a password that it may contain.
    """
    if text.startswith("unix:"):
        return Address(path=text.removeprefix("unix:").removeprefix("//"))
    parts = urlsplit(text if "://" in text else f"redis://{text}")
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("an address begins with redis://, rediss:// or unix:, or is host:port")
    if parts.username or parts.password:
        raise ValueError("user and password are named in the block, never written in the address")
    if parts.query or parts.fragment or not parts.hostname:
        raise ValueError("an address is host:port, or a URL with host, port and database number")
    database = parts.path.strip("/") or "0"
    if not database.isascii() or not database.isdigit():
        raise ValueError("the database in an address is a number")
    try:
        port = parts.port or 6379
    except ValueError:
        raise ValueError("the port in an address is a number up to 65535") from None
    return Address(parts.hostname, port, "", int(database), parts.scheme == "rediss")
