"""After a release, remove old images that nothing can need any more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.images import prune, registry
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.releases import repository
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from opsctl.aws import Clients

# A ledger holds up to 5,000 releases; SSM takes 40 reads of ten parameters a second.
_RELEASES = 500
_LOOK = Look(frozenset({"image_users", "releases"}), (), releases=_RELEASES) | repository.LOOK
# An image is pushed at most this long after its release began, whoever's clock is wrong.
_PUSHED_LATER = timedelta(days=1)


def clean(
    clients: "Clients", config: Config, image: str, release: Release | None
) -> Procedure[None]:
    """Remove old images. Raises AWS's error when this caller may not."""
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
    ours = registry.repository(ecr, name)
    keep, since = config.image.keep, _known_since(now.releases)
    removed = prune.prune(ecr, ours, keep=keep, used=used, since=since)
    if removed:
        yield Notice(f"removed {removed} old images, beyond `image.keep`")


def _known_since(releases: Sequence[Release]) -> datetime:
    """Return the time from which every image's release is known. Earlier ones were not read."""
    if not releases or releases[0].number == 1:
        return datetime.min.replace(tzinfo=UTC)
    return releases[0].begun + _PUSHED_LATER
