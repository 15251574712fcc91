"""Access to AWS: the only package of the tool that imports boto3 and botocore."""

from opsctl.aws.bounds import response
from opsctl.aws.caller import Caller
from opsctl.aws.clients import Clients, connect, tidy
from opsctl.aws.clock import Clock
from opsctl.aws.failed_calls import READS, FailedCall, FailedCalls
from opsctl.aws.faults import (
    Unreadable,
    clock_is_wrong,
    code,
    fault,
    may_pass,
    message,
    transient,
    translate,
    understood,
    without_credentials,
)
from opsctl.aws.patience import OUTAGE, Patience
from opsctl.aws.route import proxy, trust

__all__ = [
    "OUTAGE",
    "READS",
    "Caller",
    "Clients",
    "Clock",
    "FailedCall",
    "FailedCalls",
    "Patience",
    "Unreadable",
    "clock_is_wrong",
    "code",
    "connect",
    "fault",
    "may_pass",
    "message",
    "proxy",
    "response",
    "tidy",
    "transient",
    "translate",
    "trust",
    "understood",
    "without_credentials",
]
