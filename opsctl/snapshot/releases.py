"""Read the releases of a system from SSM parameters: who released what, and how it ended.

A release is `/opsctl/SYSTEM/releases/NUMBER`, written before its first change; its outcome is
`…/NUMBER/outcome`. Both are created once, by one writer. `…/newest-release` may lag behind: it only
saves reading all releases.
"""

import base64
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from opsctl.outcome import ENDS
from opsctl.snapshot import parameters
from opsctl.snapshot.parameters import Parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

RUNNING = "running"
UNREADABLE = "unreadable"
_NUMBER = re.compile(r"/(\d+)$")
_AHEAD = 5  # numbers tried beyond the newest known release


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    `image` is a reference by digest. `variables` are pairs of an environment variable and the hash
    of its value, `secrets` pairs of a reference and the id of its version. `before` and
    `before_deployment` are the image and the deployment that ran when it began. `back_to` is the
    release that a rollback restored, or 0. `changed` holds the changes shown before the roll.
    `outcome` is a kind of `opsctl.outcome`, or `running`; or `unreadable` when the release's own
    parameter was damaged.
    """

    number: int
    begun: datetime
    token: str = ""
    who: str = ""
    host: str = ""
    process: str = ""
    command: str = ""
    why: str = ""
    environment: str = ""
    image: str = ""
    commit: str = ""
    dirty: bool = False
    content: str = ""
    base: str = ""
    caddyfile: str = ""
    caddyfile_text: str = ""
    config: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    cpu: int = 0
    memory: int = 0
    desired: int = 0
    operation: str = ""
    before: str = ""
    before_definition: str = ""
    before_deployment: str = ""
    back_to: int = 0
    changed: tuple[str, ...] = ()
    outcome: str = RUNNING
    reason: str = ""
    ended: datetime | None = None
    definition: str = ""
    deployment: str = ""

    @property
    def running(self) -> bool:
        return self.outcome == RUNNING

    @property
    def good(self) -> bool:
        return self.outcome in ENDS and ENDS[self.outcome] is None  # type: ignore[index]  # a str

    @property
    def bad(self) -> bool:
        """Return whether it is known to have failed. An unknown outcome is neither good nor bad."""
        return self.outcome in ENDS and not self.good

    @property
    def readable(self) -> bool:
        return self.outcome != UNREADABLE

    @property
    def digest(self) -> str:
        return self.image.rpartition("@")[2]

    @property
    def took(self) -> timedelta | None:
        """How long it took. Never negative: the clocks of two machines may differ by more than
        that.
        """
        return max(self.ended - self.begun, timedelta()) if self.ended else None

    @property
    def name(self) -> str:
        """Who released it, without the account: `ann`."""
        return re.split("[:/]", self.who)[-1]


def packed(text: str) -> str:
    """Compress a text, so that it fits into a parameter of 4 KB."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> str:
    """Return what `packed` compressed, or '' for anything else."""
    try:
        return zlib.decompress(base64.b64decode(text)).decode()
    except (ValueError, zlib.error):
        return ""


def path(system: str, number: int | None = None) -> str:
    folder = f"/opsctl/{system}/releases"
    return folder if number is None else f"{folder}/{number:06}"


def ending(system: str, number: int) -> str:
    return f"{path(system, number)}/outcome"


def pointer(system: str) -> str:
    return f"/opsctl/{system}/newest-release"


def read(
    ssm: "SSMClient", system: str, newest: int, numbers: Iterable[int] = ()
) -> tuple[Release, ...]:
    """Return the newest `newest` releases and those of `numbers`, oldest first."""
    last = _pointed(ssm, system)
    wanted = set(numbers)
    if last == 0:
        return _chosen(_all(ssm, system), newest, wanted)
    first = max(1, last - newest + 1)
    known = _some(ssm, system, {*wanted, *range(first, last + _AHEAD + 1)})
    while known and max(known) > last:
        last = max(known)
        known |= _some(ssm, system, range(last + 1, last + _AHEAD + 1))
    if not any(number >= first for number in known):
        known |= _all(ssm, system)  # the pointer names a release that no longer exists
    return _chosen(known, newest, wanted)


def newest(ssm: "SSMClient", system: str) -> int:
    """Return the highest release number ever used, as far as it can be known; 0 for none."""
    last = _pointed(ssm, system)
    return max([last, *(one.number for one in read(ssm, system, 1))])


def _pointed(ssm: "SSMClient", system: str) -> int:
    pointed = parameters.named(ssm, [pointer(system)]).get(pointer(system))
    number = pointed.fields.get("number") if pointed else None
    return number if isinstance(number, int) else 0


def _all(ssm: "SSMClient", system: str) -> dict[int, Release]:
    return _releases(system, parameters.under(ssm, path(system)))


def _some(ssm: "SSMClient", system: str, numbers: Iterable[int]) -> dict[int, Release]:
    names = [name for one in sorted(numbers) for name in (path(system, one), ending(system, one))]
    return _releases(system, parameters.named(ssm, names))


def _chosen(
    known: Mapping[int, Release], newest: int, wanted: Iterable[int]
) -> tuple[Release, ...]:
    last = set(sorted(known)[-newest:] if newest else ())
    return tuple(known[number] for number in sorted(known) if number in {*last, *wanted})


def _releases(system: str, kept: Mapping[str, Parameter]) -> dict[int, Release]:
    numbers = [int(match[1]) for name in kept if (match := _NUMBER.search(name))]
    return {
        number: _release(number, kept[path(system, number)], kept.get(ending(system, number)))
        for number in numbers
        if path(system, number) in kept
    }


# The text fields of both parameters. Another version of opsctl may lack some or add some.
_TEXTS = (
    *("token", "who", "host", "process", "command", "why", "environment", "image", "commit"),
    *("content", "base", "caddyfile", "config", "operation"),
    *("before", "before_definition", "before_deployment"),
)
_COUNTS = ("cpu", "memory", "desired", "back_to")
_MAPPINGS = ("variables", "secrets")
_ENDS = ("outcome", "reason", "definition", "deployment")


def _release(number: int, opened: Parameter, ended: Parameter | None) -> Release:
    fields = opened.fields
    begun = _when(fields.get("begun"), opened)
    if not fields:
        reason = f"`{opened.name}` is damaged: it holds no facts of a release"
        return Release(number, begun, outcome=UNREADABLE, reason=reason)
    values: dict[str, Any] = {name: fields[name] for name in _TEXTS if _is_text(fields.get(name))}
    values |= {name: fields[name] for name in _COUNTS if type(fields.get(name)) is int}
    for name in _MAPPINGS:
        if isinstance(fields.get(name), dict):
            values[name] = {str(key): str(value) for key, value in fields[name].items()}
    if isinstance(fields.get("changed"), list):
        values["changed"] = tuple(map(str, fields["changed"]))
    if ended is not None:
        values |= {name: ended.fields[name] for name in _ENDS if _is_text(ended.fields.get(name))}
        values["ended"] = _when(ended.fields.get("ended"), ended)
        values.setdefault("outcome", "failed")  # closed by hand, without an outcome
    return Release(
        number,
        begun,
        dirty=fields.get("dirty") is True,
        caddyfile_text=unpacked(str(fields.get("caddyfile_text", ""))),
        **values,
    )


def _when(written: object, kept: Parameter) -> datetime:
    """Return the time that opsctl wrote, else the time of SSM."""
    time = parameters.when(written)
    unknown = time == parameters.when("")
    return kept.modified if unknown and kept.modified is not None else time


def _is_text(value: object) -> bool:
    return isinstance(value, str)
