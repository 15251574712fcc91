"""The interface between HTTP and everything that answers an AWS call in the sandbox.

An operation is an async function of a `Call` and of ministack, for what it leaves to that. It
returns the API's own output structure (boto3's names, aware datetimes) or raises `Refused`. Only
`wire` knows the protocols (JSON, query XML, CBOR).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Structure = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One request. `service` is the signing name (`ecs`, `elasticloadbalancing`, `monitoring`)."""

    service: str
    operation: str
    parameters: Structure
    region: str
    account: str


class Refused(Exception):
    """An error as AWS would send it; `status` is the HTTP status."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


# Passes the call to ministack with these parameters; raises `Refused` when ministack refuses.
Forward = Callable[[Structure], Awaitable[dict[str, Any]]]
Operation = Callable[[Call, Forward], Awaitable[Structure]]
# Keyed by (signing name, operation): ("ecs", "DescribeServices").
Operations = Mapping[tuple[str, str], Operation]
