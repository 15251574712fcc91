"""Build and push one image, as events. The digest is the one that the registry confirms."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from opsctl.docker import BuildRequest, Engine, Progress, PushBroken, TagTaken
from opsctl.errors import DockerError
from opsctl.images import registry
from opsctl.images.context import Context
from opsctl.images.registry import Login, Repository
from opsctl.images.revision import Revision

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient

    from opsctl.config.model import Image

_ATTEMPTS = 4
# Architecture in EC2's words -> in the engine's.
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Tags:
    """`content` identifies the same build, whoever made it; `release` is for people.

    Both contain the content's hash, so only the same content can have taken an immutable tag.
    """

    content: str
    release: str


@dataclass(frozen=True, slots=True)
class ImageEvent:
    phase: Literal["build", "push", "copy"]
    progress: Progress


def tags(context: Context, revision: Revision, *, mark: str = "") -> Tags:
    """Return the tags.

    `mark` makes them new for content that was built before: tags are immutable.
    """
    end = f"-{mark}" if mark else ""
    return Tags(f"content-{context.digest[:32]}{end}", f"{revision}-{context.digest[:8]}{end}")


def labels(
    context: Context, revision: Revision, *, config: str, caddyfile: str
) -> Mapping[str, str]:
    """Return the image's labels.

    `config` and `caddyfile` are hashes by which images are compared.
    """
    return {
        "org.opencontainers.image.revision": str(revision),
        "io.opsctl.commit": revision.commit,
        "io.opsctl.content": context.digest,
        "io.opsctl.base": context.base,
        "io.opsctl.config": config,
        "io.opsctl.caddyfile": caddyfile,
    }


def build(
    engine: Engine,
    image: "Image",
    context: Context,
    *,
    reference: str,
    labels: Mapping[str, str],
    commit: str,
    architecture: str,
    pull: bool = False,
    fresh: bool = False,
) -> Iterator[ImageEvent]:
    """Build `reference`. Raises DockerError when the instances could not run the result.

    `pull` fetches newer base images first; `fresh` uses no layer of an earlier build.
    """
    wanted = _ARCHITECTURES.get(architecture, architecture)
    request = BuildRequest(
        image.dockerfile,
        reference,
        image.target,
        labels,
        {"COMMIT": commit or "unknown", **image.build_args},
        image.platform or f"linux/{wanted}",
        image.network,
        pull,
        fresh,
    )
    with context.archive() as archive:
        built = ""
        for progress in engine.build(archive, request):
            built = progress.result or built
            yield ImageEvent("build", progress)
    made = engine.architecture(built)
    if made != wanted:
        raise DockerError(
            f"the image is built for {made}, but the instances are {architecture}",
            hint=f"set `image.platform: linux/{wanted}`, or `compute.architecture`",
        )


def push(
    engine: Engine,
    ecr: "ECRClient",
    repository: Repository,
    tags: Tags,
    login: Login,
    *,
    sleep: Callable[[float], None],
) -> Iterator[ImageEvent]:
    """Push both tags. The last event's `result` is the digest that the registry confirmed.

    The content tag goes last: once it exists, the image is known to be complete.
    """
    digest = ""
    for tag in (tags.release, tags.content):
        engine.tag(f"{repository.uri}:{tags.release}", repository.uri, tag)
        for progress in _push(engine, ecr, repository, tag, login, sleep):
            digest = progress.result or digest
            yield ImageEvent("push", progress)
    held = registry.digest(ecr, repository, tags.content)
    if held != digest:
        raise DockerError(
            f"the registry holds {held} as `{tags.content}`, but {digest} was pushed",
            hint="somebody else pushed the same content just now; run the same command again",
        )


def _push(
    engine: Engine,
    ecr: "ECRClient",
    repository: Repository,
    tag: str,
    login: Login,
    sleep: Callable[[float], None],
) -> Iterator[Progress]:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            yield from engine.push(
                repository.uri, tag, username=login.username, password=login.password
            )
            return
        except PushBroken as error:
            if attempt == _ATTEMPTS:
                raise
            yield Progress(f"{error.message}; attempt {attempt + 1} of {_ATTEMPTS}")
            sleep(2.0**attempt)
        except TagTaken:
            # The tag contains the content's hash, so the image under it has the same content.
            held = registry.digest(ecr, repository, tag)
            if held is None:
                raise
            yield Progress(f"`{tag}` is already in the registry", result=held)
            return
