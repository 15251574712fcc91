"""The door to the Docker engine: nothing else but the sandbox imports the docker SDK."""

from opsctl.docker.engine import (
    Engine,
    Progress,
    PushBroken,
    TagTaken,
    address,
    connect,
    included,
    reach,
)

__all__ = [
    "Engine",
    "Progress",
    "PushBroken",
    "TagTaken",
    "address",
    "connect",
    "included",
    "reach",
]
