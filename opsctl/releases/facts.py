"""What a release is made of, as the ledger keeps it: of what runs, and of what would run. Pure."""

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

# What it takes to compare; `releases` is how far back the one that runs may be.
LOOK = closing.LOOK | Look(
    frozenset({"tasks", "instances", "secret_versions", "releases"}),
    ("db", "ecr", "ecs"),
    releases=30,
)
# The environment variable that every template sets.
_TEMPLATES_OWN = "AWS_REGION"
_PLACEHOLDER = re.compile(r"\\\$\\\{[^}]*\\\}")


def live(now: Snapshot, releases: Sequence[Release]) -> Release:
    """What runs: from ECS, and from the ledger what ECS does not know. Number 0 without one."""
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
    """The image that the stack asks for, of a service that has tasks. Raises OpsError without."""
    image = definition.release(now.stack("ecs"))
    if not image:
        raise OpsError("no release yet, so no task runs", hint="opsctl update-tasks")
    if now.service is not None and now.service.desired == 0:
        count = now.require("stacks").stacks["ecs"].parameters.get("DesiredCount", "")
        raise OpsError(
            f"`{now.service.name}` is set to 0 tasks, so there is none to restart",
            hint=f"opsctl ecs scale {count if count.isdigit() and int(count) else 1}",
        )
    return image


def planned(config: Config, now: Snapshot) -> Release:
    """What the config asks for, the image apart."""
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
    """The release with what its image is made of."""
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
    """The release with an image that exists, and what an earlier release knew of it."""
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
    """The release with what its image says of itself, where the ledger knew nothing of it."""
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
    """The release with what ran when it began."""
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


def require_secrets(config: Config, now: Snapshot) -> None:
    """Raises OpsError when the tasks would not start: a secret that they read is not there."""
    absent = {one.reference for one in now.secret_versions if not one.version}
    lacking = [
        (key, reference)
        for key, reference in config.secret_references.items()
        if reference in absent and not key.startswith("db.")  # the cache's own
    ]
    if lacking:
        listed = "; ".join(f"`{key}` refers to {reference}" for key, reference in lacking)
        raise OpsError(
            f"no task would start: {listed}, which does not exist or has no value",
            hint=f"opsctl secrets set {lacking[0][0]}",
            cause="secret-missing",
        )


def late_secrets(now: Snapshot) -> tuple[str, ...]:
    """References whose newest version came after the oldest running task: it does not know it."""
    starts = [task.created or task.started for task in now.running]
    oldest = min((one for one in starts if one is not None), default=None)
    if oldest is None:
        return ()
    return tuple(
        one.reference for one in now.secret_versions if _later(one.changed, oldest) and one.version
    )


def changed_references(config: Config, now: Snapshot) -> tuple[str, ...]:
    """Environment variables that refer to another secret than in the task definition that runs."""
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
    """The versions that the running tasks have: those of their release; else by their age."""
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
    """Whether CloudFormation may have made the value of this text for Fn::Sub."""
    pattern = _PLACEHOLDER.sub("[^:]*", re.escape(template))
    return re.fullmatch(pattern, value) is not None


def _later(changed: datetime | None, than: datetime) -> bool:
    return changed is not None and changed > than


def _digest(image: str) -> str:
    return image.rpartition("@")[2]
