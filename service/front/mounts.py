"""What a process serves: its release, and each site with its chain."""

import hashlib
import time
from dataclasses import dataclass

from service.chain import Exchange, Handler, Response, Site, link
from service.directives import SitePlan
from service.errors import FilterError


@dataclass(frozen=True, slots=True)
class Release:
    """What runs: the service's version, its commit, and its Caddyfile's SHA-256."""

    version: str
    commit: str
    caddyfile: str
    begun: float

    @classmethod
    def of(cls, caddyfile: str, *, version: str, commit: str) -> "Release":
        digest = hashlib.sha256(caddyfile.encode()).hexdigest()
        return cls(version, commit, digest, time.time())


@dataclass(frozen=True, slots=True)
class Mounted:
    """A site and its chain."""

    site: Site
    handler: Handler


def mount(plan: SitePlan) -> Mounted:
    """Mount a site. Raises StartError when a secret or class that the file names does not exist."""
    site, filters = plan.build()
    return Mounted(site, link(filters, _end))


async def _end(exchange: Exchange) -> Response:
    raise FilterError(404, "nothing here answers this path")
