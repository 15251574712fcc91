"""The door to the Docker engine: nothing else but the sandbox imports the docker SDK."""

from opsctl.docker.engine import (
    Engine,
    address,
    connect,
    included,
    reach,
)
from opsctl.docker.progress import BuildRequest, Progress
from opsctl.docker.push_errors import PushBroken, TagTaken

__all__ = [
    "BuildRequest",
    "Engine",
    "Progress",
    "PushBroken",
    "TagTaken",
    "address",
    "connect",
    "included",
    "reach",
]
