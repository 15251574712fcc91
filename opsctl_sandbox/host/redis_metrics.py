"""Measure a redis-server as ElastiCache would, from its INFO."""

import socket
from collections.abc import Mapping
from typing import Any

# CloudWatch's name -> (field of INFO, unit).
_FIELDS = {
    "CurrConnections": ("connected_clients", "Count"),
    "NewConnections": ("total_connections_received", "Count"),
    "Evictions": ("evicted_keys", "Count"),
    "CacheHits": ("keyspace_hits", "Count"),
    "CacheMisses": ("keyspace_misses", "Count"),
    "BytesUsedForCache": ("used_memory", "Bytes"),
}
# Redis counts these since its start, CloudWatch per minute.
COUNTERS = frozenset({"NewConnections", "Evictions", "CacheHits", "CacheMisses"})
# Bytes of a cache.t4g.micro.
_NODE_MEMORY = 0.5 * (1 << 30)


def figures(port: int) -> Mapping[str, tuple[float, str]]:
    """Return name -> (value, unit); empty when the server does not answer."""
    fields = _info(port)
    if not fields:
        return {}
    metrics = {name: (float(fields.get(key, 0)), unit) for name, (key, unit) in _FIELDS.items()}
    used = float(fields.get("used_memory", 0))
    hits, misses = metrics["CacheHits"][0], metrics["CacheMisses"][0]
    metrics["DatabaseMemoryUsagePercentage"] = (100 * used / _NODE_MEMORY, "Percent")
    metrics["FreeableMemory"] = (_NODE_MEMORY - used, "Bytes")
    metrics["CurrItems"] = (_items(fields), "Count")
    if hits + misses:
        metrics["CacheHitRate"] = (100 * hits / (hits + misses), "Percent")
    return metrics


def _items(fields: Mapping[str, str]) -> float:
    """Sum the keys in lines like `db0:keys=3,expires=0,avg_ttl=0`, one for each database."""
    databases = [value for name, value in fields.items() if name.startswith("db")]
    keys = [part for one in databases for part in one.split(",") if part.startswith("keys=")]
    return float(sum(int(part.removeprefix("keys=")) for part in keys))


def _info(port: int) -> dict[str, Any]:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            connection.sendall(b"INFO\r\n")
            stream = connection.makefile("rb")
            size = int(stream.readline()[1:])
            text = stream.read(size).decode()
    except (OSError, ValueError):
        return {}
    lines = [line.partition(":") for line in text.splitlines() if ":" in line]
    return {name: value for name, _, value in lines}
