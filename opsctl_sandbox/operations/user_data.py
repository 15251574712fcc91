"""What an instance would learn from its user data: the cluster that its agent joins."""

import re

_CLUSTER = re.compile(r"ECS_CLUSTER\s*[=:]\s*[\"']?([A-Za-z0-9_-]+)")


def cluster(text: str) -> str:
    """The agent's cluster: `default` unless the user data sets ECS_CLUSTER."""
    setting = _CLUSTER.search(text)
    return setting.group(1) if setting else "default"
