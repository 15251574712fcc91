"""Compare two releases, or what runs with what would run. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from opsctl import caddyfile
from opsctl.snapshot.releases import Release

Topic: TypeAlias = Literal[
    "commits", "image", "base", "Caddyfile", "environment", "secrets", "stack", "drift", "unread"
]
OLDER = "an older version"  # a secret's version, when it was not recorded
_SHORT = 12  # characters of a commit or a hash that are shown


@dataclass(frozen=True, slots=True)
class Changed:
    """One difference. `text` is one line; `lines` are commits, or changed lines of the Caddyfile.

    `rolls` means that it is a reason to start new tasks.
    """

    topic: Topic
    text: str
    lines: tuple[str, ...] = ()
    rolls: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences.

    `before` and `after` name what was compared: `release 41`, `this directory`.
    """

    before: str
    after: str
    changes: tuple[Changed, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs. Parts that could not be read do not count."""
        return all(one.topic == "unread" for one in self.changes)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons to start new tasks, in a word or two each, for the history."""
        return tuple(_reason(one) for one in self.changes if one.rolls)


def between(
    before: Release, after: Release, *, commits: Iterable[str] = (), more: Iterable[Changed] = ()
) -> tuple[Changed, ...]:
    """Return the differences. `commits` lie between the two; `more`, such as drift, comes last."""
    return (
        *_commits(before, after, tuple(commits)),
        *_image(before, after),
        *_caddyfile(before, after),
        *_names(before.variables, after.variables),
        *_secrets(before.secrets, after.secrets),
        *_stack(before, after),
        *more,
    )


def _commits(before: Release, after: Release, commits: tuple[str, ...]) -> Iterable[Changed]:
    if before.commit == after.commit and before.dirty == after.dirty:
        return
    if not after.commit:
        return
    count = f"{len(commits)} of them" if len(commits) > 1 else ""
    text = f"{commit(before)} -> {commit(after)}"
    yield Changed("commits", f"{text}, {count}" if count else text, commits, rolls=False)


def commit(release: Release) -> str:
    """Return the commit as `9f3c1e2a0b1c-dirty`, or `no commit known`."""
    if not release.commit:
        return "no commit known"
    return f"{release.commit[:_SHORT]}{'-dirty' if release.dirty else ''}"


def _image(before: Release, after: Release) -> Iterable[Changed]:
    known = bool(before.base and after.base)
    if known and before.base != after.base:
        yield Changed("base", f"the base image is another one: {short(after.base)}")
    if after.image and after.image != before.image:
        what = short(before.digest) if before.image else "none"
        yield Changed("image", f"{what} -> {short(after.digest)}")
    elif not after.image and after.content:
        if before.content and before.content == after.content:
            text = "to be built again, of the same content"
        else:
            text = "to be built" if not before.content else "its content differs"
        yield Changed("image", text)


def short(digest: str) -> str:
    """Return the beginning of a digest: `sha256:86e1…`."""
    kind, colon, rest = digest.partition(":")
    return f"{kind}:{rest[:_SHORT]}" if colon else digest[: _SHORT + 7]


def _caddyfile(before: Release, after: Release) -> Iterable[Changed]:
    if not after.caddyfile or before.caddyfile == after.caddyfile:
        return
    if not before.caddyfile:
        return  # nothing is known of the Caddyfile that runs
    lines: list[str] = []
    if before.caddyfile_text and after.caddyfile_text:
        whole = caddyfile.diff(before.caddyfile_text, after.caddyfile_text)[2:]
        lines = [line for line in whole if line[:1] in "+-"]
    yield Changed("Caddyfile", "changed", tuple(lines))


def _names(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Changed]:
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    words = [_word(name, before, after) for name in names]
    if words:
        yield Changed("environment", ", ".join(words))


def _word(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if name not in before:
        return f"{name} is new"
    return f"{name} is gone" if name not in after else f"{name} has another value"


def _secrets(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Changed]:
    for reference in sorted({*before, *after}):
        old, new = before.get(reference, ""), after.get(reference, "")
        # A release without recorded versions cannot be compared.
        if before and after and old != new:
            yield Changed("secrets", f"{reference}: {_version(old)} -> {_version(new)}")


def _version(version: str) -> str:
    if version in ("", OLDER):
        return version or "none"
    return f"version {version if version.isdigit() else version[:8]}"


def _stack(before: Release, after: Release) -> Iterable[Changed]:
    words = []
    for name in ("cpu", "memory"):
        old, new = getattr(before, name), getattr(after, name)
        if old and new and old != new:
            words.append(f"ecs.{name} {old} -> {new}")
    if words:
        yield Changed("stack", ", ".join(words))
    if before.desired and after.desired and before.desired != after.desired:
        text = f"desired count {before.desired} -> {after.desired}"
        yield Changed("stack", text, rolls=False)


def _reason(change: Changed) -> str:
    if change.topic in ("image", "Caddyfile"):
        return change.topic
    if change.topic == "base":
        return "base image"
    return f"{change.topic}: {change.text}"
