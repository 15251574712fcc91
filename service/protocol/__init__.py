"""HTTP on a connection: a short way for requests that the chain answers, uvicorn's class for the
rest.

Every byte passes through one parser here, which finds where each request ends and applies the
limits. A request on the short way needs no ASGI scope, messages or cycle, and no task: it runs down
the chain until the store's answer and is written in one piece, which costs about as much as
uvicorn's own part for an empty application.

What the short way cannot do completely (FastAPI's paths, `Expect`, targets that are not plain
paths, anything that is not HTTP) goes to uvicorn's own class, unmodified, with the original bytes.
It writes to the same transport and calls the same chain. tests/service/test_both_ways.py compares
the two byte by byte.
"""
