"""Parse the Caddyfile's options of each backend, without any library that serving needs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from service.auth import options

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class SimpleOptions:
    """SHA-256 of `user:password`, so that a repr or a core dump reveals nothing."""

    digests: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    url: str
    timeout: float
    skipverify: bool
    follow: bool
    cookies: bool


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    url: str
    timeout: float
    skipverify: bool
    follow: bool
    cookies: bool
    cache_path: Path | None
    lock_timeout: float
    lifetime: float
    stale: float


BackendOptions = SimpleOptions | UpstreamOptions | RefreshOptions


def _simple(text: str) -> SimpleOptions:
    users = options.pairs(text)
    return SimpleOptions(
        tuple(hashlib.sha256(f"{user}:{word}".encode()).digest() for user, word in users.items())
    )


def _upstream(text: str) -> UpstreamOptions:
    # The original reads `insecure` here although its README says `skipverify`: accept both.
    pairs = options.pairs(text, ("url", "timeout", "skipverify", "insecure", "follow", "cookies"))
    return UpstreamOptions(
        url=options.http_url(pairs),
        timeout=options.positive_duration(pairs, "timeout", MINUTE),
        skipverify=options.boolean(pairs, "skipverify") or options.boolean(pairs, "insecure"),
        follow=options.boolean(pairs, "follow"),
        cookies=options.boolean(pairs, "cookies"),
    )


_REFRESH = (
    "url",
    "timeout",
    "skipverify",
    "follow",
    "cookies",
    "cache_path",
    "lock_timeout",
    "lifetime",
    "stale",
)


def _refresh(text: str) -> RefreshOptions:
    pairs = options.pairs(text, _REFRESH)
    return RefreshOptions(
        url=options.http_url(pairs),
        timeout=options.positive_duration(pairs, "timeout", MINUTE),
        skipverify=options.boolean(pairs, "skipverify"),
        follow=options.boolean(pairs, "follow"),
        cookies=options.boolean(pairs, "cookies"),
        cache_path=Path(pairs["cache_path"]) if pairs.get("cache_path") else None,
        lock_timeout=options.duration(pairs, "lock_timeout", MINUTE),
        lifetime=options.positive_duration(pairs, "lifetime", 3 * 60 * MINUTE),
        stale=options.duration(pairs, "stale", 0.0),
    )


PARSERS: dict[str, Callable[[str], BackendOptions]] = {
    "simple": _simple,
    "upstream": _upstream,
    "refresh": _refresh,
}
