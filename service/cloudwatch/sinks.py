"""Where log events go: a CloudWatch stream, or standard error without AWS credentials."""

import http.client
import json
import logging
import os
import socket
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO
from urllib.error import URLError

from service.cloudwatch.stream import INTERVAL, LogEvent, NotWritten, Rejected, Sink
from service.errors import StartError

if TYPE_CHECKING:
    from service.trust.aws import Session

_log = logging.getLogger(__name__)


class Stderr:
    interval = 0.1

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def open(self) -> str:
        return "stderr"

    def write(self, batch: Sequence[LogEvent]) -> Rejected | None:
        try:
            self._stream.write("".join(f"{event.message}\n" for event in batch))
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise NotWritten(f"stderr: {type(error).__name__}", retry=False) from None
        return None


class CloudWatch:
    """One log stream in an existing group. `logs` is a boto3 client."""

    interval = INTERVAL

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream

    def open(self) -> str:
        """Create the stream. If AWS does not answer now, the first write creates it."""
        from service.trust import aws

        try:
            self._create_stream()
        except aws.AwsError as error:
            if aws.code(error) == "ResourceNotFoundException":
                raise StartError(
                    f"log group {self._group} does not exist: create it, or correct awscloudwatch"
                ) from None
            if not aws.is_passing(error):
                raise StartError(
                    f"no log stream in group {self._group}: {aws.code(error)}"
                ) from None
            _log.warning("log group %s cannot be reached yet: %s", self._group, aws.code(error))
        return self._stream

    def write(self, batch: Sequence[LogEvent]) -> Rejected | None:
        from service.trust import aws

        events = [{"timestamp": event.timestamp, "message": event.message} for event in batch]
        try:
            try:
                answer = self._put(events)
            except aws.AwsError as error:
                if aws.code(error) != "ResourceNotFoundException":
                    raise
                self._create_stream()  # somebody removed it, or it could not be created at start
                answer = self._put(events)
        except aws.AwsError as error:
            # A missing group or permission may return; an invalid batch stays invalid.
            retry = aws.code(error) not in ("InvalidParameterException", "ParamValidationError")
            raise NotWritten(aws.code(error), retry=retry) from None
        return _rejected(answer.get("rejectedLogEventsInfo") or {}, len(batch))

    def _put(self, events: Sequence[dict[str, Any]]) -> Any:
        return self._logs.put_log_events(
            logGroupName=self._group, logStreamName=self._stream, logEvents=events
        )

    def _create_stream(self) -> None:
        # Another worker of this task may have created it: several may write to one stream.
        with suppress(self._logs.exceptions.ResourceAlreadyExistsException):
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)


def _rejected(info: dict[str, int], count: int) -> Rejected | None:
    """Return what was rejected.

    CloudWatch names indexes: before `End` is too old, from `Start` on too new.
    """
    old = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    new = count - info.get("tooNewLogEventStartIndex", count)
    if not old and not new:
        return None
    words = [f"{old} too old" if old else "", f"{new} too new" if new else ""]
    return Rejected(old + new, " and ".join(filter(None, words)))


def choose(
    group: str,
    root: str,
    *,
    container: Callable[[], str],
    stderr: TextIO,
    session: "Callable[[], Session] | None" = None,
    now: datetime | None = None,
) -> Sink:
    """Return CloudWatch if there are credentials.

    `container` returns the task's name for the stream.
    """
    from service.trust import aws

    opened = (session or aws.Session)()
    if not opened.has_credentials():
        _log.warning("no AWS credentials: awscloudwatch writes to standard error")
        return Stderr(stderr)
    moment = f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return CloudWatch(opened.client("logs", attempts=1), group, f"{root}{moment}-{container()}")


def container_id(metadata_uri: str) -> str:
    """Return the task's id from the ECS metadata endpoint (version 4), else host and process id."""
    if metadata_uri:
        try:
            with urllib.request.urlopen(f"{metadata_uri}/task", timeout=2) as answer:
                arn = json.load(answer)["TaskARN"]
            return str(arn).rpartition("/")[2]
        except (URLError, OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            _log.warning("the task's metadata cannot be read: the log stream is named by the host")
    return f"{socket.gethostname()}-{os.getpid()}"
