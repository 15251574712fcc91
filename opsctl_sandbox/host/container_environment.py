"""What a container gets: its environment, secrets, access to AWS, and metadata."""

import json
from collections.abc import Mapping
from typing import Any

from opsctl_sandbox.cluster.intents import StartTask
from opsctl_sandbox.cluster.values import Task
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.local_client import LocalClient


async def environment(
    intent: StartTask, inside: LocalClient, variables: Mapping[str, str], *, metadata: str
) -> dict[str, str]:
    """Return the environment. `variables` point to the sandbox, as a task role would to AWS.

    Below `metadata` each task finds its own document.
    """
    container = intent.definition.containers[0]
    env = dict(variables)
    env |= {one["name"]: str(one["value"]) for one in container.get("environment") or ()}
    for secret in container.get("secrets") or ():
        env[secret["name"]] = await _secret(inside, str(secret["valueFrom"]))
    task = intent.task.rsplit("/", 1)[-1]
    env["ECS_CONTAINER_METADATA_URI_V4"] = f"{metadata}/{task}"
    return env


async def _secret(inside: LocalClient, source: str) -> str:
    """Return the value of a parameter (name or ARN) or secret; '' when there is none."""
    try:
        if ":secretsmanager:" in source:
            # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:KEY:STAGE:VERSION]
            parts = source.split(":")
            secret = await inside.call(
                "secretsmanager", "GetSecretValue", SecretId=":".join(parts[:7])
            )
            text = str(secret.get("SecretString", ""))
            return str(json.loads(text)[parts[7]]) if len(parts) > 7 and parts[7] else text
        name = source.partition(":parameter")[2] or source
        parameter = await inside.call("ssm", "GetParameter", Name=name, WithDecryption=True)
        return str(parameter["Parameter"]["Value"])
    except (Refused, ValueError, KeyError):
        return ""


def metadata(task: Task) -> dict[str, Any]:
    """Return the main members of a task's metadata (`${ECS_CONTAINER_METADATA_URI_V4}/task`)."""
    return {
        "Cluster": task.cluster,
        "TaskARN": task.arn,
        "Family": task.definition.family,
        "Revision": str(task.definition.revision),
        "Containers": [{"Name": one.name, "Image": one.image} for one in task.containers],
    }
