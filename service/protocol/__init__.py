"""HTTP on a connection: a short way for requests that the chain answers, uvicorn's for the rest.

Every byte goes through one parser here, which finds where each request ends and holds it to the
limits. A request on the short way needs no ASGI scope, messages or cycle, and not even a task: it
is run down the chain as far as the store's answer, and written in one piece, which costs about
what uvicorn's own part does for an empty application. What the short way cannot do whole (FastAPI's
paths, `Expect`, other targets than plain paths, what is not HTTP) is given to uvicorn's own class,
unmodified, with the bytes as they came; it writes to the same transport, and leads to the same
chain. tests/service/test_both_ways.py compares the two byte for byte.
"""
