"""Copying an image between repositories, with a registry that has ECR's manners."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from opsctl.errors import DockerError
from opsctl.images import transfer
from opsctl.images.registry import Login, Repository

KIND = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Registry:
    """Blobs and manifests by repository; `fails` are statuses, given in turn to matching paths."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.uploads: dict[str, bytes] = {}
        self.mounts = False
        self.redirects = False
        self.fails: list[tuple[str, int]] = []
        self.requests: list[str] = []

    def image(self, repository: str, *layers: bytes) -> str:
        config = b'{"config": {"Labels": {"io.opsctl.commit": "f00"}}}'
        described = [{"digest": digest(one), "size": len(one)} for one in layers]
        for blob in (config, *layers):
            self.blobs[repository, digest(blob)] = blob
        manifest = {"config": {"digest": digest(config), "size": len(config)}, "layers": described}
        return self.put(repository, json.dumps(manifest).encode(), KIND)

    def index(self, repository: str, *children: str) -> str:
        body = json.dumps({"manifests": [{"digest": one} for one in children]}).encode()
        return self.put(repository, body, INDEX)

    def put(self, repository: str, body: bytes, kind: str, *names: str) -> str:
        for name in (digest(body), *names):
            self.manifests[repository, name] = (body, kind)
        return digest(body)


class Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        parts, registry = urlsplit(self.path), self.registry
        registry.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for number, (words, status) in enumerate(registry.fails):
            if words in f"{self.command} {self.path}":
                del registry.fails[number]
                errors = [{"code": "X", "message": "a reason"}]
                return self.answer(status, json.dumps({"errors": errors}).encode())
        if parts.path.startswith("/store/"):
            assert "Authorization" not in self.headers, "S3 takes no token of the registry"
            return self.answer(200, registry.blobs[("staging", parts.path[7:])])
        assert self.headers["Authorization"].startswith("Basic ")
        _, _, repository, what, name = parts.path.split("/", 4)
        getattr(self, f"_{what}")(repository, name, parse_qs(parts.query), body)

    def _manifests(self, repository: str, name: str, query: Any, body: bytes) -> None:
        if self.command == "PUT":
            self.registry.put(repository, body, self.headers["Content-Type"], name)
            return self.answer(201)
        found = self.registry.manifests.get((repository, name))
        if found is None:
            return self.answer(404)
        self.answer(200, found[0], **{"Content-Type": found[1]})

    def _blobs(self, repository: str, name: str, query: Any, body: bytes) -> None:
        registry = self.registry
        if self.command in ("HEAD", "GET"):
            blob = registry.blobs.get((repository, name))
            if blob is None:
                return self.answer(404)
            if self.command == "GET" and registry.redirects:
                host = self.headers["Host"].replace("127.0.0.1", "localhost")
                return self.answer(307, Location=f"http://{host}/store/{name}")
            return self.answer(200, blob)
        upload = name.partition("/")[2]
        if self.command == "POST":
            if "mount" in query and registry.mounts:
                [wanted] = query["mount"]
                registry.blobs[repository, wanted] = registry.blobs[query["from"][0], wanted]
                return self.answer(201)
            number = str(len(registry.uploads))
            registry.uploads[number] = b""
            return self.answer(202, Location=f"/v2/{repository}/blobs/uploads/{number}?state=x")
        registry.uploads[upload] += body
        if self.command == "PUT":
            content, [wanted] = registry.uploads[upload], query["digest"]
            if digest(content) != wanted:
                return self.answer(400)
            registry.blobs[repository, wanted] = content
            return self.answer(201)
        self.answer(202, Location=f"/v2/{repository}/blobs/uploads/{upload}")

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = handle_any

    def log_message(self, *_: object) -> None:
        pass


class Place:
    def __init__(self, registry: Registry, port: int) -> None:
        self.registry = registry
        self.source = Repository("staging", f"127.0.0.1:{port}/staging")
        self.target = Repository("web", f"127.0.0.1:{port}/web")
        self.slept: list[float] = []

    def copy(self, wanted: str) -> str:
        *_, last = transfer.copy(
            self.source,
            self.target,
            wanted,
            tag="promoted",
            login=Login("AWS", "token"),
            sleep=self.slept.append,
        )
        return last.result


@pytest.fixture
def place() -> Iterator[Place]:
    registry = Registry()
    handler = type("Bound", (Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Place(registry, server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_image_has_the_same_digest_and_a_tag_in_the_other_repository(place: Place) -> None:
    wanted = place.registry.image("staging", b"one" * 100_000, b"two")
    assert place.copy(wanted) == wanted
    manifests, blobs = place.registry.manifests, place.registry.blobs
    assert manifests["web", wanted] == manifests["web", "promoted"] == manifests["staging", wanted]
    assert {name for repository, name in blobs if repository == "web"} == {
        name for repository, name in blobs if repository == "staging"
    }


def test_layers_that_are_there_are_not_sent_again(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    place.copy(wanted)
    place.registry.requests.clear()
    place.copy(wanted)
    assert not [one for one in place.registry.requests if one.startswith("PATCH")]


def test_a_registry_that_links_layers_sends_none_through_here(place: Place) -> None:
    place.registry.mounts = True
    place.copy(place.registry.image("staging", b"one"))
    assert not [one for one in place.registry.requests if one.startswith("PATCH")]


def test_layers_that_are_kept_elsewhere_are_fetched_there_without_the_token(place: Place) -> None:
    place.registry.redirects = True
    wanted = place.registry.image("staging", b"one")
    assert place.copy(wanted) == wanted


def test_an_index_takes_its_images_along(place: Place) -> None:
    children = [place.registry.image("staging", b"amd"), place.registry.image("staging", b"arm")]
    wanted = place.registry.index("staging", *children)
    assert place.copy(wanted) == wanted
    assert all(("web", child) in place.registry.manifests for child in children)


def test_an_image_says_of_itself_what_it_was_made_of(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    index = place.registry.index("staging", wanted)
    login = Login("AWS", "token")
    for digest_of in (wanted, index):
        assert transfer.labels(place.source, digest_of, login=login) == {"io.opsctl.commit": "f00"}


def test_labels_that_cannot_be_read_are_nothing_to_stop_for(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    login = Login("AWS", "token")
    place.registry.fails = [("GET", 500), ("GET", 403)]
    for digest_of in (wanted, wanted, "sha256:" + "0" * 64):
        assert transfer.labels(place.source, digest_of, login=login) == {}


def test_what_breaks_on_the_way_is_tried_again(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    place.registry.fails = [("PATCH", 500), ("GET /v2/staging/manifests", 503), ("PUT", 429)]
    assert place.copy(wanted) == wanted and len(place.slept) == 3


def test_a_registry_that_stays_broken_is_one_sentence(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    place.registry.fails = [("PATCH", 500)] * 9
    with pytest.raises(DockerError, match="broke off: 500 a reason") as caught:
        place.copy(wanted)
    assert "run the same command again" in (caught.value.hint or "")


def test_what_may_not_be_read_or_written_names_what_to_allow(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    place.registry.fails = [("GET /v2/staging", 403)]
    with pytest.raises(DockerError, match="cannot be copied from `staging` to `web`") as caught:
        place.copy(wanted)
    assert "ecr:BatchGetImage" in (caught.value.hint or "")
    assert place.slept == []


def test_a_manifest_that_is_not_the_digests_is_not_copied(place: Place) -> None:
    wanted = place.registry.image("staging", b"one")
    place.registry.manifests["staging", wanted] = (b"{}", KIND)
    with pytest.raises(DockerError, match="arrived damaged"):
        place.copy(wanted)


class Proxy(BaseHTTPRequestHandler):
    """Opens tunnels to `port`, whatever host is named, and remembers who asked."""

    port: int
    seen: list[tuple[str, str]]

    def do_CONNECT(self) -> None:
        self.seen.append((self.path, self.headers.get("Proxy-Authorization", "")))
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as there:
            self.send_response(200)
            self.end_headers()
            there.sendall(self.connection.recv(65536))
            while data := there.recv(65536):
                self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def test_a_registry_is_reached_by_the_proxy_of_aws_clients(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = place.registry.image("staging", b"one")
    port = int(place.source.uri.partition(":")[2].partition("/")[0])
    seen: list[tuple[str, str]] = []
    handler = type("Bound", (Proxy,), {"port": port, "seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{server.server_address[1]}")
        # Looks local, so that plain HTTP is used, and can only be reached by the proxy.
        elsewhere = Repository("staging", "localhost.invalid:5/staging")
        labels = transfer.labels(elsewhere, wanted, login=Login("AWS", "token"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert place.copy(wanted) == wanted
        server.shutdown()
        thread.join()
    assert labels == {"io.opsctl.commit": "f00"}
    assert set(seen) == {("localhost.invalid:5", "Basic bWU6c2VjcmV0")}
