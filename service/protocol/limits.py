"""How long, how large and how slow one request may be; docs/service.md lists them all."""

HEAD_LIMIT = 65_536  # bytes of a request's line and headers, and of the trailers after its body
CHUNKS_LIMIT = 16_384  # pieces of a chunked body
HEAD_SECONDS = 10.0  # from the first byte of a head to its last
IDLE_SECONDS = 75.0  # between requests
GRACE_SECONDS = 10.0  # over every such span a body, or a client that reads, keeps at least
LEAST_RATE = 1_024  # bytes a second
LINGER_SECONDS = 5.0  # how long, and up to how many bytes,
LINGER_BYTES = 16 * 1024 * 1024  # a client that is refused may go on sending
STOP_SECONDS = 5.0  # for a body that is under way when the service stops
