"""Read the last console lines of instances that did not join the cluster.

EC2 keeps a console for at least an hour after the instance has gone.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from opsctl import aws
from opsctl.config.sources import START_LOG_BEGINS, START_LOG_ENDS
from opsctl.snapshot.instances import ContainerInstance, Group
from opsctl.snapshot.redact import redact_lines
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

LINES = 45
_MOST = 4  # instances whose consoles are read
_INSTANCE = re.compile(r"\bi-[0-9a-f]{8,17}\b")


def absent(group: Group | None, joined: Sequence[ContainerInstance]) -> tuple[str, ...]:
    """Return the ids of instances that are not in the cluster, newest first.

    These are the instances of the group and those that it launched lately.
    """
    if group is None:
        return ()
    launched = [
        match[0]
        for activity in group.activities
        if activity.description.startswith("Launching")
        and (match := _INSTANCE.search(f"{activity.description} {activity.message}"))
    ]
    known = {one.id for one in joined}
    candidates = dict.fromkeys([*launched, *(one.id for one in group.instances)])
    return tuple(one for one in candidates if one not in known)


def read(ec2: "EC2Client", ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the last console lines by instance id, only of instances that wrote something."""
    chosen = list(ids)[:_MOST]
    tails = together([partial(_tail, ec2, one) for one in chosen])
    return {one: tail for one, tail in zip(chosen, tails, strict=True) if tail}


def _tail(ec2: "EC2Client", instance: str) -> tuple[str, ...]:
    """Return what the instance tells about its failed start, else the end of its console."""
    # Without `Latest` the console is that of some minutes after the boot, until the instance ends.
    output = _console(ec2, instance, latest=True) or _console(ec2, instance)
    return redact_lines(last_words(decoded(output).splitlines()))


def _console(ec2: "EC2Client", instance: str, *, latest: bool = False) -> str:
    try:
        return ec2.get_console_output(InstanceId=instance, Latest=latest).get("Output", "")
    except ec2.exceptions.ClientError as error:
        # Only running instances on Nitro have a latest console.
        unknown = aws.code(error).startswith("InvalidInstanceID")
        if unknown or (latest and aws.fault(error) == "refused"):
            return ""
        raise


def gave_up(lines: Sequence[str]) -> bool:
    """Return whether these are the words of an instance whose start script failed."""
    return bool(lines) and lines[0] == START_LOG_BEGINS


def last_words(lines: Sequence[str]) -> Sequence[str]:
    """Return the last mark of a failed start and the lines up to its end, else the last lines.

    cloud-init prints the host's keys after them.
    """
    begin = next(
        (n for n in range(len(lines), 0, -1) if lines[n - 1].endswith(START_LOG_BEGINS)), None
    )
    if begin is None:
        return lines[-LINES:]
    words = lines[begin : begin + LINES]
    end = next((n for n, line in enumerate(words) if line.endswith(START_LOG_ENDS)), len(words))
    # On a full disk there is no log, and the console alone knows what was before.
    return [START_LOG_BEGINS, *(words[:end] or lines[max(begin - 1 - LINES, 0) : begin - 1])]


def decoded(output: str) -> str:
    """Decode a console. botocore has decoded AWS's already; other endpoints may send base64."""
    try:
        return base64.b64decode(output, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return output
