"""The facts of a release as the ledger records them, of what runs and what would run. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from opsctl.config.model import Config
from opsctl.errors import OpsError
from opsctl.releases import closing, difference
from opsctl.releases.make import Build, Caddyfile
from opsctl.snapshot.releases import Release
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.task_definitions import hashed
from opsctl.stacks import definition, references
from opsctl.stacks.absent import gone

# What comparing needs to see; `releases` is how far back the running release may be.
LOOK = closing.LOOK | Look(
    frozenset({"tasks", "instances", "secret_versions", "releases", "deregistered"}),
    ("db", "ecr", "ecs"),
    releases=30,
)
# The environment variable that every template sets.
_TEMPLATES_OWN = "AWS_REGION"
_PLACEHOLDER = re.compile(r"\\\$\\\{[^}]*\\\}")


def live(now: Snapshot, releases: Sequence[Release]) -> Release:
    """Return what runs: from ECS, and from the ledger what ECS does not know.

    Its number is 0 when no release of the ledger matches.
    """
    known = closing.running(now, releases) or Release(0, now.at)
    primary = now.primary
    definition = now.definition(primary.task_definition) if primary else None
    if primary is None or definition is None:
        return known
    return replace(
        known,
        image=next(iter(definition.images), ""),
        variables={name: value for name, value in definition.variables if name != _TEMPLATES_OWN},
        cpu=definition.cpu,
        memory=definition.memory,
        desired=now.service.desired if now.service else 0,
        secrets=_running_secrets(known, now),
        definition=primary.revision,
        deployment=primary.id,
    )


def released_image(now: Snapshot) -> str:
    """Return the image that the stack asks for. Raises OpsError if no task of it should run."""
    image = definition.release(now.stack("ecs"))
    if not image:
        missing = OpsError("no release yet, so no task runs", hint="opsctl update-tasks")
        raise gone(now) or missing
    if now.service is not None and now.service.desired == 0:
        count = now.require("stacks").stacks["ecs"].parameters.get("DesiredCount", "")
        raise OpsError(
            f"`{now.service.name}` is set to 0 tasks, so there is none to restart",
            hint=f"opsctl ecs scale {count if count.isdigit() and int(count) else 1}",
        )
    return image


def planned(config: Config, now: Snapshot) -> Release:
    """Return what the config asks for, without an image."""
    ecs = config.ecs
    return Release(
        0,
        now.at,
        environment=config.environment or "",
        config=config_hash(config),
        variables={name: hashed(name, value) for name, value in ecs.environment.items()},
        secrets=versions(now),
        cpu=ecs.cpu,
        memory=ecs.memory,
        desired=definition.desired_count(config, now.stack("ecs"), now.service),
    )


def made(release: Release, build: Build, caddyfile: Caddyfile, *, image: str = "") -> Release:
    """Return the release with the facts of its built image."""
    return replace(
        release,
        image=image or release.image,
        commit=build.revision.commit,
        dirty=build.revision.dirty,
        content=build.context.digest,
        base=build.context.base,
        caddyfile=caddyfile.sha256,
        caddyfile_text=caddyfile.text,
    )


def of_image(release: Release, image: str, releases: Sequence[Release]) -> Release:
    """Return the release with an existing image and what an earlier release recorded about it."""
    same = [one for one in reversed(releases) if one.digest and one.digest == _digest(image)]
    if not same:
        return replace(release, image=image)
    known = same[0]
    return replace(
        release,
        image=image,
        commit=known.commit,
        dirty=known.dirty,
        content=known.content,
        base=known.base,
        caddyfile=known.caddyfile,
        caddyfile_text=known.caddyfile_text,
    )


def labelled(release: Release, labels: Mapping[str, str]) -> Release:
    """Return the release with facts from the image's labels, if the ledger had none."""
    if release.commit or release.content or release.caddyfile:
        return release
    return replace(
        release,
        commit=labels.get("io.opsctl.commit", ""),
        dirty=labels.get("org.opencontainers.image.revision", "").endswith("-dirty"),
        content=labels.get("io.opsctl.content", ""),
        base=labels.get("io.opsctl.base", ""),
        caddyfile=labels.get("io.opsctl.caddyfile", ""),
    )


def begun(release: Release, now: Snapshot, *, operation: str = "") -> Release:
    """Return the release with what ran when it began."""
    primary = now.primary
    definition = now.definition(primary.task_definition) if primary else None
    return replace(
        release,
        operation=operation,
        before=next(iter(definition.images), "") if definition else "",
        before_definition=primary.revision if primary else "",
        before_deployment=primary.id if primary else "",
    )


def versions(now: Snapshot) -> dict[str, str]:
    return {one.reference: one.version for one in now.secret_versions}


def require_secrets(config: Config, now: Snapshot, back_to: Release | None = None) -> None:
    """Raise OpsError if a secret that the tasks need to start cannot be read.

    An older release does without a secret that only came later.
    """
    unreadable = {one.reference: one.problem for one in now.secret_versions if one.problem}
    lacking = [
        (key, reference)
        for key, reference in config.task_secret_references.items()
        if reference in unreadable
        if back_to is None or reference in back_to.secrets
    ]
    if lacking:
        listed = "; ".join(
            f"`{key}` refers to {reference}, which {unreadable[reference]}"
            for key, reference in lacking
        )
        raise OpsError(
            f"no task would start: {listed}",
            hint=f"opsctl secrets set {lacking[0][0]}",
            cause="secret-missing",
        )


def late_secrets(now: Snapshot) -> tuple[str, ...]:
    """Return references of secrets that changed after the oldest running task started."""
    starts = [task.created or task.started for task in now.running]
    oldest = min((one for one in starts if one is not None), default=None)
    if oldest is None:
        return ()
    return tuple(
        one.reference for one in now.secret_versions if _later(one.changed, oldest) and one.version
    )


def changed_references(config: Config, now: Snapshot) -> tuple[str, ...]:
    """Return variables whose secret reference differs from the running task definition."""
    primary = now.primary
    definition = now.definition(primary.task_definition) if primary else None
    if definition is None:
        return ()
    have, wanted = dict(definition.secrets), references.container_secrets(config)
    return tuple(
        name
        for name in sorted({*wanted, *have})
        if name not in have or name not in wanted or not _fits(wanted[name], have[name])
    )


def _running_secrets(known: Release, now: Snapshot) -> dict[str, str]:
    """Return the running tasks' secret versions: those of their release, else judged by age."""
    late = late_secrets(now)
    return {
        one.reference: known.secrets.get(
            one.reference, difference.OLDER if one.reference in late else one.version
        )
        for one in now.secret_versions
    }


def config_hash(config: Config) -> str:
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def _fits(template: str, value: str) -> bool:
    """Return whether `value` may be the result of CloudFormation's Fn::Sub on `template`."""
    pattern = _PLACEHOLDER.sub("[^:]*", re.escape(template))
    return re.fullmatch(pattern, value) is not None


def _later(changed: datetime | None, than: datetime) -> bool:
    return changed is not None and changed > than


def _digest(image: str) -> str:
    return image.rpartition("@")[2]
