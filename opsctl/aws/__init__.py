"""Access to AWS: the only package of the tool that imports boto3 and botocore."""

from opsctl.aws.caller import Caller
from opsctl.aws.clients import Clients, connect
from opsctl.aws.failed_calls import READS, FailedCall, FailedCalls
from opsctl.aws.faults import Unreadable, code, fault, message, transient, translate, understood
from opsctl.aws.patience import Patience

__all__ = [
    "READS",
    "Caller",
    "Clients",
    "FailedCall",
    "FailedCalls",
    "Patience",
    "Unreadable",
    "code",
    "connect",
    "fault",
    "message",
    "transient",
    "translate",
    "understood",
]
