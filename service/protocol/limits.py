"""Limits of one request: time, size and speed. docs/service.md lists them all."""

HEAD_LIMIT = 65_536  # bytes of a request's line and headers, and of the trailers after its body
CHUNKS_LIMIT = 16_384  # pieces of a chunked body
HEAD_SECONDS = 10.0  # from the first byte of a head to its last
IDLE_SECONDS = 75.0  # between requests
# over every such span a body, or a client that reads, must keep the least rate
GRACE_SECONDS = 10.0
LEAST_RATE = 1_024  # bytes a second
LINGER_SECONDS = 5.0  # a refused client may send for so long,
LINGER_BYTES = 16 * 1024 * 1024  # and so many bytes
STOP_SECONDS = 5.0  # for a body under way when the service stops
