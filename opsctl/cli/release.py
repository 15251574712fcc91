"""The first half of `update-tasks`: the Caddyfile that was meant, and the image that holds it."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsctl import caddyfile, docker
from opsctl.cli.options import Invocation
from opsctl.cli.screens.image import ImageProgress
from opsctl.errors import DockerError, TemplateError
from opsctl.images import check, context, make, registry, revision
from opsctl.images.context import Context
from opsctl.images.registry import Repository
from opsctl.images.revision import Revision

_DIFF_LINES = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """The image that the tasks shall run; `reference` is None while it would still be built."""

    reference: str | None
    commit: str = ""
    content: str = ""


def write_caddyfile(invocation: Invocation, outputs: Mapping[str, str], *, dry_run: bool) -> str:
    """Fill the template, have it checked, show what changed, and write it."""
    config, console = invocation.config, invocation.console
    root = invocation.path.parent
    target = root / config.caddyfile.output
    text = caddyfile.fill(
        _read_template(root / config.caddyfile.template),
        caddyfile.variables(config, outputs),
        file=config.caddyfile.template,
    )
    before = target.read_text() if target.is_file() else ""
    _check(invocation, text, redis=outputs["RedisEndpoint"])
    console.emit("caddyfile", file=str(target), sha256=_hash(text), changed=text != before)
    if text == before:
        console.say(f"{target}: unchanged")
        return text
    _show_diff(invocation, before, text, str(target))
    if not dry_run:
        target.write_text(text)
    return text


def make_image(
    invocation: Invocation, repository: Repository, text: str, *, no_build: bool, dry_run: bool
) -> Wanted:
    """The digest that holds this content: the registry's own when it has it, else a new one."""
    config, console = invocation.config, invocation.console
    ecr = invocation.clients.ecr
    root = invocation.path.parent
    found = context.load(config.image, root, _generated(invocation, text))
    commit = revision.read(found.directory)
    tags = make.tags(found, commit)
    held = registry.digest(ecr, repository, tags.content)
    if held is not None:
        console.say(f"image: same content as {held[:19]}…: not built, not pushed")
        console.emit("image", phase="found", digest=held, content=found.digest)
        return Wanted(f"{repository.uri}@{held}", commit.commit, found.digest)
    if no_build:
        raise DockerError(
            f"`{repository.name}` has no image of this content, and --no-build forbids making one",
            hint="opsctl update-tasks, or --image REF for one that is there",
        )
    if dry_run:
        console.say(f"image: would be built and pushed as {repository.uri}:{tags.release}")
        return Wanted(None, commit.commit, found.digest)
    digest = _build_and_push(invocation, repository, found, commit, tags, text)
    return Wanted(f"{repository.uri}@{digest}", commit.commit, found.digest)


def _read_template(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise TemplateError(
            f"{file} cannot be read: {error.strerror}",
            hint="set `caddyfile.template` in opsctl.yaml",
        ) from error


def _check(invocation: Invocation, text: str, *, redis: str) -> None:
    """Checked in a file of its own: a bad Caddyfile never replaces a good one."""
    config, root = invocation.config, invocation.path.parent
    draft = root / f"{config.caddyfile.output}.new"
    draft.write_text(text)
    try:
        found = check.read(Path(draft.name), directory=root, source=config.caddyfile.template)
    finally:
        draft.unlink()
    if found is None:
        invocation.console.say("no service is installed here: the image build checks the Caddyfile")
        return
    sentences = check.disagreements(
        found,
        ports=config.ecs.ports,
        container_port=config.load_balancer.container_port,
        redis=redis,
    )
    if sentences:
        raise TemplateError(
            "the Caddyfile does not fit the stacks:\n"
            + "\n".join(f"  {each}" for each in sentences),
            hint=f"correct {config.caddyfile.template} or opsctl.yaml",
        )


def _generated(invocation: Invocation, text: str) -> dict[str, bytes]:
    """What enters the image from here rather than from disk.

    The secrets file on disk may hold values; the image gets references, resolved at start.
    """
    config = invocation.config
    # JSON is YAML that nothing in a value can break out of.
    references = json.dumps(config.secrets.values, indent=2) + "\n"
    return {config.caddyfile.output: text.encode(), config.secrets.file: references.encode()}


def _build_and_push(
    invocation: Invocation,
    repository: Repository,
    found: Context,
    commit: Revision,
    tags: make.Tags,
    text: str,
) -> str:
    config, clients, console = invocation.config, invocation.clients, invocation.console
    labels = make.labels(
        found, commit, config=_hash(config.model_dump_json()), caddyfile=_hash(text)
    )
    engine = docker.connect()
    digest = ""
    try:
        with ImageProgress(console) as progress:
            console.say(f"building {repository.uri}:{tags.release}")
            for event in make.build(
                engine,
                config.image,
                found,
                reference=f"{repository.uri}:{tags.release}",
                labels=labels,
                commit=commit.commit,
                architecture=config.compute.architecture,
            ):
                progress.show(event)
        with ImageProgress(console) as progress:
            console.say(f"pushing {repository.uri}:{tags.release}")
            login = registry.login(clients.ecr)
            for event in make.push(engine, clients.ecr, repository, tags, login, sleep=time.sleep):
                digest = event.progress.result or digest
                progress.show(event)
    finally:
        engine.close()
    console.say(f"pushed {digest}, confirmed by the registry")
    console.emit("image", phase="pushed", digest=digest, content=found.digest)
    return digest


def _show_diff(invocation: Invocation, before: str, after: str, name: str) -> None:
    console = invocation.console
    if not before:
        console.say(f"{name}: new")
        return
    lines = caddyfile.diff(before, after)[2:]
    console.say(f"{name} changes:")
    for line in lines[:_DIFF_LINES]:
        style = {"+": "good", "-": "bad"}.get(line[:1], "faint")
        console.say(f"  {console.style(style, line)}")
    if len(lines) > _DIFF_LINES:
        console.say(f"  … and {len(lines) - _DIFF_LINES} lines more")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
