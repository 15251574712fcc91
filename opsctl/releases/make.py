"""Make what a release consists of: the Caddyfile and the image that contains it."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from opsctl import caddyfile, disk, docker
from opsctl.config.model import Config
from opsctl.errors import DockerError, OpsError, TemplateError
from opsctl.images import base, check, context, make, registry, revision, transfer
from opsctl.images.base import Base
from opsctl.images.context import Context
from opsctl.images.registry import Held, Repository
from opsctl.images.revision import Revision
from opsctl.procedure import Notice, Procedure, look_at
from opsctl.snapshot.snapshot import Look, Snapshot

if TYPE_CHECKING:
    from opsctl.aws import Clients

Connect: TypeAlias = Callable[[], docker.Engine]
Labels: TypeAlias = Callable[["Clients", Held], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Caddyfile:
    """The filled template and the file that it replaces. `before` is '' when there was no file."""

    path: Path
    text: str
    before: str

    @property
    def changed(self) -> bool:
        return self.text != self.before

    @property
    def sha256(self) -> str:
        return _hash(self.text)

    def diff(self) -> list[str]:
        """The unified diff to the old file, without the two lines of file names."""
        return caddyfile.diff(self.before, self.text)[2:]

    def write(self) -> None:
        if self.changed:
            hint = f"set `caddyfile.output` to a file that may be written, not {self.path.name}"
            disk.write(self.path, self.text, folders=True, hint=hint)


@dataclass(frozen=True, slots=True)
class ReleaseImage:
    """A release's image. `reference` is '' while the registry lacks it.

    `content` is the hash of everything that the image is built from.
    """

    reference: str
    commit: str = ""
    content: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """Everything needed to build and push a release's image.

    `pull` fetches newer base images first; `fresh` uses no layer of an earlier build.
    """

    repository: Repository
    context: Context
    revision: Revision
    tags: make.Tags
    labels: Mapping[str, str]
    pull: bool = False
    fresh: bool = False

    @property
    def target(self) -> str:
        return f"{self.repository.uri}:{self.tags.release}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """An image of another repository of the account, to be copied into our own.

    Without the copy, a clean-up of the other repository could remove the image.
    """

    held: Held
    repository: Repository

    @property
    def target(self) -> str:
        return f"{self.repository.uri}@{self.held.digest}"


def fill(config: Config, root: Path, outputs: Mapping[str, str]) -> Procedure[Caddyfile]:
    """Fill the template and check the result. Writes nothing.

    `outputs` are those of the db stack. Raises TemplateError for a Caddyfile that would not work.
    """
    template = root / config.caddyfile.template
    target = root / config.caddyfile.output
    source = config.caddyfile.template
    variables = caddyfile.variables(config, outputs)
    text = caddyfile.fill(caddyfile.read(template), variables, file=source)
    stated = check.read(text, directory=target.parent, name=target.name, source=source)
    sentences = check.disagreements(
        stated,
        ports=config.ecs.ports,
        container_port=config.load_balancer.container_port,
        redis=outputs["RedisEndpoint"],
    )
    if sentences:
        lines = "\n".join(f"  {sentence}" for sentence in sentences)
        raise TemplateError(
            f"the Caddyfile does not fit the stacks:\n{lines}",
            hint=f"correct {source} or opsctl.yaml",
        )
    if check.other_version(disk.real(root / config.image.context)):
        yield Notice(
            "the service in this directory is not the version that checked the Caddyfile; "
            "the image build checks it again",
            warning=True,
        )
    return Caddyfile(target, text, caddyfile.read(target) if target.is_file() else "")


def outputs(config: Config, now: Snapshot) -> Mapping[str, str]:
    """Return the outputs of the db stack. Raises OpsError when there is none."""
    db = now.require("stacks").stack("db")
    if db is None:
        raise OpsError(f"there is no stack `{config.system}-db`", hint="opsctl db up")
    return db.outputs


def files(config: Config, root: Path) -> Procedure[Mapping[str, bytes]]:
    """Return path -> content of the generated files that enter an image beside the code."""
    now = yield from look_at(Look(frozenset({"stacks"}), ("db",)))
    filled = yield from fill(config, root, outputs(config, now))
    return _generated(config, filled.text)


def named(
    clients: "Clients", repository: Repository, held: Held
) -> tuple[ReleaseImage, Promotion | None]:
    """Return an existing image, and the copy to make first if it is in another repository."""
    if held.repository.name == repository.name:
        return ReleaseImage(held.reference), None
    promotion = Promotion(held, repository)
    if registry.holds(clients.ecr, repository, held.digest):
        return ReleaseImage(promotion.target), None
    return ReleaseImage("", target=promotion.target), promotion


def prepare(
    clients: "Clients",
    config: Config,
    root: Path,
    repository: Repository,
    caddyfile: Caddyfile,
    *,
    base: Base,
    rebuild: str = "",
) -> tuple[ReleaseImage, Build]:
    """Return the image of this content, if the registry has it, and how to build it.

    `rebuild` is appended to the tags of an image that is built although the registry has its
    content.
    """
    generated = _generated(config, caddyfile.text)
    loaded = context.load(config.image, root, generated, base=base.digest)
    commit = revision.read(loaded.directory)
    tags = make.tags(loaded, commit, mark=rebuild)
    labels = make.labels(
        loaded, commit, config=_hash(config.model_dump_json()), caddyfile=caddyfile.sha256
    )
    # A rebuild pulls no base image that is up to date here, or that no registry has.
    build = Build(repository, loaded, commit, tags, labels, base.stale, bool(rebuild))
    held = "" if rebuild else registry.digest(clients.ecr, repository, tags.content)
    reference = f"{repository.uri}@{held}" if held else ""
    return ReleaseImage(reference, commit.commit, loaded.digest, build.target), build


def look_at_base(config: Config, root: Path, connect: Connect, *, known: str) -> Procedure[Base]:
    """Return what the image would be built from now.

    Without an engine to ask, it is assumed to be `known`, the one of the running release.
    """
    dockerfile = disk.real(root / config.image.context) / config.image.dockerfile
    if not dockerfile.is_file():
        return Base(known)  # the build will report the missing file
    images = base.references(caddyfile.read(dockerfile), config.image.build_args)
    try:
        engine = connect()
    except DockerError:
        return Base(known)
    try:
        newest = base.look(engine, images)
    finally:
        engine.close()
    if not newest.digest and images:
        yield Notice(f"no registry answers whether there is a newer {', '.join(images)}")
    return newest if newest.digest else Base(known)


def build(
    clients: "Clients",
    config: Config,
    build: Build,
    *,
    connect: Connect = docker.connect,
    sleep: Callable[[float], None] = time.sleep,
) -> Procedure[ReleaseImage]:
    """Build and push. Returns the image, with the digest that the registry confirmed."""
    engine = connect()
    digest = ""
    try:
        yield Notice(f"building {build.target}")
        yield from make.build(
            engine,
            config.image,
            build.context,
            reference=build.target,
            labels=build.labels,
            commit=build.revision.commit,
            architecture=config.compute.architecture,
            pull=build.pull,
            fresh=build.fresh,
        )
        yield Notice(f"pushing {build.target}")
        login = registry.login(clients.ecr)
        for event in make.push(
            engine, clients.ecr, build.repository, build.tags, login, sleep=sleep
        ):
            digest = event.progress.result or digest
            yield event
    finally:
        engine.close()
    reference = f"{build.repository.uri}@{digest}"
    return ReleaseImage(reference, build.revision.commit, build.context.digest, build.target)


def promote(
    clients: "Clients", promotion: Promotion, *, sleep: Callable[[float], None] = time.sleep
) -> Procedure[ReleaseImage]:
    """Copy the image into the system's own repository, and return the image there."""
    held, own = promotion.held, promotion.repository
    yield Notice(f"copying {held.digest} from `{held.repository.name}` to `{own.name}`")
    login = registry.login(clients.ecr)
    tag = f"promoted-{held.digest.partition(':')[2][:32]}"
    for progress in transfer.copy(
        held.repository, own, held.digest, tag=tag, login=login, sleep=sleep
    ):
        yield make.ImageEvent("copy", progress)
    if registry.digest(clients.ecr, own, tag) != held.digest:
        raise DockerError(
            f"`{own.name}` does not hold {held.digest} after the copy",
            hint="run the same command again",
        )
    return ReleaseImage(f"{own.uri}@{held.digest}")


def labels_of(clients: "Clients", image: Held) -> Mapping[str, str]:
    """Return the image's labels; none if this caller may not read the image."""
    try:
        login = registry.login(clients.ecr)
    except clients.ecr.exceptions.ClientError:
        return {}
    return transfer.labels(image.repository, image.digest, login=login)


def require_image(image: ReleaseImage, repository: Repository) -> None:
    """Raise DockerError if the image would have to be built and --no-build forbids it."""
    if not image.reference:
        raise DockerError(
            f"`{repository.name}` has no image of this content, and --no-build forbids making one",
            hint="opsctl update-tasks, or for one that is there: opsctl update-tasks --image REF",
        )


def _generated(config: Config, text: str) -> dict[str, bytes]:
    """Return the generated files that enter the image instead of files on disk.

    The secrets file on disk may hold values; the image gets references, which are resolved at
    start.
    """
    # JSON is valid YAML, and no value can break its structure.
    references = json.dumps(config.secrets.values, indent=2) + "\n"
    return {config.caddyfile.output: text.encode(), config.secrets.file: references.encode()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
