"""Access to the Docker engine. Apart from the sandbox, only this package imports the docker SDK."""

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
