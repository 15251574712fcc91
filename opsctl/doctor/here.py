"""Check this machine and directory: template, image files, Docker engine, disk space."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from opsctl import caddyfile, docker
from opsctl.config.model import Config
from opsctl.doctor.finding import Finding
from opsctl.errors import OpsError
from opsctl.images import check, context
from opsctl.plural import counted

_ROOM = 5 * 2**30  # bytes that an image, its base and their layers take together


def findings(
    config: Config,
    root: Path,
    *,
    connect: Callable[[], docker.Engine] = docker.connect,
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Iterator[Finding]:
    yield from _caddyfile(config, root)
    yield from _files(config, root)
    yield from _engine(connect)
    room = free(root)
    if room < _ROOM:
        text = f"{room / 2**30:.1f} GiB are free on this disk; building an image may take 5"
        yield Finding("docker", "warning", text, "docker system prune")


def _caddyfile(config: Config, root: Path) -> Iterator[Finding]:
    """Check the template as it will be filled. Redis has an invented address."""
    source = config.caddyfile.template
    redis = f"{config.db.name}.endpoint.invalid:{config.db.port}"
    target = root / config.caddyfile.output
    try:
        variables = caddyfile.variables(config, {"RedisEndpoint": redis})
        text = caddyfile.fill(caddyfile.read(root / source), variables, file=source)
        stated = check.read(text, directory=target.parent, name=target.name, source=source)
    except OpsError as error:
        yield Finding("caddyfile", "blocking", error.message, error.hint or "")
        return
    wrong = check.disagreements(
        stated,
        ports=config.ecs.ports,
        container_port=config.load_balancer.container_port,
        redis=redis,
    )
    for sentence in wrong:
        yield Finding("caddyfile", "blocking", sentence, f"correct {source} or opsctl.yaml")
    if not wrong:
        yield Finding("caddyfile", "ok", f"{source} makes a Caddyfile that the service takes")


def _files(config: Config, root: Path) -> Iterator[Finding]:
    try:
        loaded = context.load(config.image, root, {})
    except OpsError as error:
        yield Finding("image", "warning", error.message, "opsctl init")
        return
    yield Finding("image", "ok", f"the image is built from {counted(len(loaded.paths), 'file')}")


def _engine(connect: Callable[[], docker.Engine]) -> Iterator[Finding]:
    try:
        connect().close()
    except OpsError as error:
        yield Finding("docker", "warning", error.message, error.hint or "")
    else:
        yield Finding("docker", "ok", "a Docker engine answers")
