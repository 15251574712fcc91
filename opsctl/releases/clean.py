"""After a release, remove old images that nothing can need any more."""

from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.images import prune, registry
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.releases import repository
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from opsctl.aws import Clients

# Read the whole ledger: as many releases as an account can have parameters.
_LOOK = Look(frozenset({"image_users", "releases"}), (), releases=10_000) | repository.LOOK


def clean(
    clients: "Clients", config: Config, image: str, release: Release | None
) -> Procedure[None]:
    """Remove old images.

    The release of `image` stands whether or not this caller may remove any.
    """
    ecr, name = clients.ecr, config.image.repository
    now = yield from look_at(_LOOK)
    why = now.unread[0].reason if now.unread else ""
    if not why and release is not None and not release.number:
        why = "the ledger does not hold this release"
    if not why and (unknown := [one for one in now.releases if not one.readable]):
        why = f"release {unknown[0].number}: {unknown[0].reason}"
    if not why and not repository.held(now, name):
        why = f"`{name}` does not belong to `{config.system}-ecr`"
    if why:
        yield Notice(f"old images are kept, because it is not known what uses them: {why}")
        return
    needed = (one for one in now.releases if not one.bad)
    names = {name for one in needed for name in (one.image, one.digest, one.before)}
    used = prune.Used(frozenset({*now.image_users, *names, image} - {""}))
    try:
        ours = registry.repository(ecr, name)
        removed = prune.prune(ecr, ours, keep=config.image.keep, used=used)
    except ecr.exceptions.ClientError as error:
        yield Notice(f"old images were not removed: {error}", warning=True)
        return
    if removed:
        yield Notice(f"removed {removed} old images, beyond `image.keep`")
