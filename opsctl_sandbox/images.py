"""Images without an engine: pack `service/` and a Caddyfile into one layer, push it to the
sandbox's registry, and unpack such files from any image there.

The archive contains no times and owners, so equal files give equal digests.
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl_sandbox.errors import SandboxError

# Where the service's image has its files, by its Dockerfile's WORKDIR.
_APP = "app"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_ACCEPT = ", ".join((_MANIFEST, _INDEX, _DOCKER_MANIFEST, _DOCKER_LIST))
# Loopback, without the proxies of the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """The three blobs of a one-layer image. `digest` is the manifest's."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return _digest(self.manifest)


def service_sources() -> Path:
    """Return the package `service`: beside this package in a checkout, in opsctl's data if
    installed.

    Tasks that are processes also need its libraries, which the extra `sandbox` installs.
    """
    top = Path(__file__).parent.parent
    packaged = top / "opsctl" / "_project" / "service"
    return packaged if packaged.is_dir() else top / "service"


def pack(service: Path, caddyfile: str, *, secrets: bytes | None = None) -> Image:
    """Pack an image. `service` is the package's directory; byte code and caches are left out."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(service.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"{_APP}/service/{path.relative_to(service).as_posix()}"
                _add(archive, name, path.read_bytes())
        _add(archive, f"{_APP}/Caddyfile", caddyfile.encode())
        if secrets is not None:
            _add(archive, f"{_APP}/.secrets.yml", secrets)
    layer = gzip.compress(raw.getvalue(), mtime=0)
    config = _json(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "WorkingDir": f"/{_APP}",
                "Cmd": ["python", "-m", "service", "run", "--config", "Caddyfile"],
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(raw.getvalue())]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, layer)],
        }
    )
    return Image(layer, config, manifest)


@dataclass(frozen=True)
class Registry:
    """The sandbox's registry. `endpoint` is its URL, `authorization` the header of a login."""

    endpoint: str
    authorization: str

    def push(self, repository: str, image: Image, *, tag: str) -> str:
        """Push the image and return `HOST:PORT/REPOSITORY@sha256:…`."""
        base = f"v2/{repository}"
        for blob in (image.layer, image.config):
            self._send(
                "POST",
                f"{base}/blobs/uploads/?digest={_digest(blob)}",
                blob,
                "application/octet-stream",
            )
        self._send("PUT", f"{base}/manifests/{tag}", image.manifest, _MANIFEST)
        return f"{self.endpoint.removeprefix('http://')}/{repository}@{image.digest}"

    def unpack(self, reference: str, into: Path) -> None:
        """Write the image's `/app` into `into`. `reference` may have any host name.

        Raises SandboxError in ECS's own words when the image does not exist.
        """
        repository, version = _split(reference)
        base = f"v2/{repository}"
        try:
            for layer in self._layers(base, version):
                blob = io.BytesIO(self._get(f"{base}/blobs/{layer}"))
                with tarfile.open(fileobj=blob, mode="r:*") as archive:
                    _extract(archive, into)
        except urllib.error.HTTPError as error:
            error.close()
            raise SandboxError(
                f"CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {reference}: {reference}: not found"
            ) from error

    def _layers(self, base: str, version: str) -> Iterator[str]:
        manifest = json.loads(self._get(f"{base}/manifests/{version}"))
        if "manifests" in manifest:
            # buildx adds attestations of platform `unknown`.
            real = [one for one in manifest["manifests"] if one["platform"]["os"] != "unknown"]
            manifest = json.loads(self._get(f"{base}/manifests/{real[0]['digest']}"))
        for layer in manifest["layers"]:
            yield layer["digest"]

    def _get(self, path: str) -> bytes:
        with _OPENER.open(self._request(path, headers={"Accept": _ACCEPT}), timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def _send(self, method: str, path: str, body: bytes, kind: str) -> None:
        request = self._request(path, body, headers={"Content-Type": kind}, method=method)
        try:
            with _OPENER.open(request, timeout=30):
                pass
        except urllib.error.HTTPError as error:
            with error:
                answer = error.read().decode(errors="replace")
            if "NAME_UNKNOWN" in answer:
                name = path.removeprefix("v2/").partition("/blobs/")[0]
                sentence = f"the sandbox has no repository `{name}` yet"
                raise SandboxError(sentence, hint="opsctl ecs up") from error
            raise SandboxError(
                f"the registry refused {method} {request.full_url}: {error.code} {answer}"
            ) from error

    def _request(
        self,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str],
        method: str = "GET",
    ) -> urllib.request.Request:
        headers = {**headers, "Authorization": self.authorization}
        return urllib.request.Request(f"{self.endpoint}/{path}", body, headers, method=method)


def at(registry: str, reference: str) -> str:
    """Return the reference in the registry at HOST:PORT, whatever host it names."""
    repository, version = _split(reference)
    return f"{registry}/{repository}{'@' if version.startswith('sha256:') else ':'}{version}"


def _extract(archive: tarfile.TarFile, into: Path) -> None:
    """Extract plain files, none outside `into`. Debian 12's Python has no extraction filters."""
    root = into.resolve()
    for member in archive:
        name = member.name.removeprefix("./").removeprefix("/")
        target = (root / name.removeprefix(f"{_APP}/")).resolve()
        if name.startswith(f"{_APP}/") and member.isfile() and target.is_relative_to(root):
            content = archive.extractfile(member)
            assert content is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())


def _split(reference: str) -> tuple[str, str]:
    """Split `host/repo@sha256:…` or `host/repo:tag` into (repo, version)."""
    _, _, path = reference.partition("/")
    if "@" in path:
        name, _, version = path.partition("@")
        return name.partition(":")[0], version
    name, _, tag = path.partition(":")
    return name, tag or "latest"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o644
    archive.addfile(member, io.BytesIO(content))


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
