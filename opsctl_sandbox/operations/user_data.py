"""What an instance would learn from its user data: the cluster that its agent joins."""

import base64
import binascii
import re

_CLUSTER = re.compile(r"ECS_CLUSTER\s*[=:]\s*[\"']?([A-Za-z0-9_-]+)")


def cluster(text: str) -> str:
    """The agent's cluster: `default` unless the user data sets ECS_CLUSTER."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = text
    found = _CLUSTER.search(decoded)
    return found.group(1) if found else "default"
