"""What the sandbox asks of a Docker engine, as blocking calls: images, containers, what they use.

What goes wrong is an SandboxError in the words that the ECS agent gives it.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from opsctl_sandbox.errors import SandboxError
from opsctl_sandbox.host.runner import Usage

if TYPE_CHECKING:
    from docker import APIClient

# A label of every image that opsctl builds.
_BUILT = "io.opsctl.content"
_LOST = "CannotInspectContainerError"
# What Docker itself says of a container whose end it has not seen.
_UNKNOWN_CODE = 255
_KILLED = 137
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class ContainerEngine:
    """`where` is the engine's address, for people."""

    def __init__(self, client: "APIClient", where: str) -> None:
        # Its stubs know neither every option nor the shapes of what is answered.
        self._client: Any = client
        self.where = where

    def close(self) -> None:
        self._client.close()

    def info(self) -> Mapping[str, Any]:
        """What `docker info` shows."""
        with self._worded("the Docker engine"):
            return cast("Mapping[str, Any]", self._client.info())

    def pull(self, reference: str, password: str) -> None:
        login = {"username": "AWS", "password": password}
        with self._worded("CannotPullContainerError"):
            for item in self._client.pull(reference, stream=True, decode=True, auth_config=login):
                if "error" in item:
                    raise SandboxError(
                        f"CannotPullContainerError: Error response from daemon: {item['error']}"
                    )

    def create(self, options: Mapping[str, Any], host: Mapping[str, Any]) -> str:
        """`options` and `host` are the SDK's, of a container and its host config; returns an id."""
        with self._worded("CannotCreateContainerError"):
            config = self._client.create_host_config(**host)
            created = self._client.create_container(
                # Proxies of ~/.docker/config.json cannot reach what is on this machine.
                use_config_proxy=False,
                host_config=config,
                **options,
            )
            return str(created["Id"])

    def start(self, container: str) -> None:
        with self._worded("CannotStartContainerError"):
            self._client.start(container)

    def lines(self, container: str) -> Iterator[str]:
        """What it writes, from its first line to its end, or to the engine's."""
        with suppress(DockerException, RequestException, OSError):
            rest = b""
            for chunk in self._client.logs(container, stream=True, follow=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace").rstrip() for line in whole)
            if rest:
                yield rest.decode(errors="replace").rstrip()

    def wait(self, container: str) -> tuple[int, str]:
        """Its exit code and the reason, once it has ended."""
        try:
            code = int(self._client.wait(container, timeout=None)["StatusCode"])
        except APIError as error:
            return _UNKNOWN_CODE, f"{_LOST}: Error response from daemon: {error.explanation}"
        except (DockerException, RequestException, OSError):
            return _UNKNOWN_CODE, f"{_LOST}: {self._silent()}"
        with suppress(DockerException, RequestException, OSError):
            state = self._client.inspect_container(container)["State"]
            killed = code == _KILLED and state["OOMKilled"]
            return code, _OUT_OF_MEMORY if killed else str(state["Error"])
        return code, ""  # removed by somebody: the code was known before

    def stop_signal(self, container: str) -> str:
        """The signal that its image wants to be stopped with."""
        with self._worded(_LOST):
            inspected = self._client.inspect_container(container)
            return str(inspected["Config"].get("StopSignal") or "SIGTERM")

    def kill(self, container: str, signal: str) -> None:
        """Quiet when it has ended already, or the engine has."""
        with suppress(DockerException, RequestException, OSError):
            self._client.kill(container, signal)

    def usage(self, container: str) -> Usage | None:
        with suppress(DockerException, RequestException, OSError, KeyError):
            # One shot: two readings a second apart would be taken otherwise.
            read = self._client.stats(container, stream=False, one_shot=True)
            memory = read["memory_stats"]
            cached = memory.get("stats", {})
            cache = cached.get("inactive_file", cached.get("total_inactive_file", 0))
            used = max(0, memory["usage"] - cache)
            return Usage(read["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, used / (1 << 20))
        return None

    def remove(self, container: str) -> None:
        """With force: a running one is killed. Quiet when it is gone, or the engine is."""
        with suppress(DockerException, RequestException, OSError):
            self._client.remove_container(container, force=True, v=True)

    def remove_images(self, registry: str, pulled: Iterable[str]) -> None:
        """What was pulled, and what opsctl built for this registry (HOST:PORT), which has ended.

        Layers that a build made stay, as its cache; so do images that a container uses.
        """
        with suppress(DockerException, RequestException, OSError):
            built = self._client.images(filters={"label": _BUILT})
            tags = [tag for one in built for tag in one["RepoTags"] or ()]
            for reference in {*pulled, *(tag for tag in tags if tag.startswith(f"{registry}/"))}:
                with suppress(APIError):
                    self._client.remove_image(reference, noprune=True)

    def remove_labelled(self, label: tuple[str, str]) -> list[str]:
        """Remove each container with the label, ended ones too; returns their image references."""
        with self._worded("the Docker engine"):
            containers = self._client.containers(all=True, filters={"label": "=".join(label)})
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.remove, [str(one["Id"]) for one in containers]))
        return [str(one["Image"]) for one in containers]

    @contextmanager
    def _worded(self, what: str) -> Iterator[None]:
        try:
            yield
        except APIError as error:
            explanation = error.explanation or error
            raise SandboxError(f"{what}: Error response from daemon: {explanation}") from error
        except (DockerException, RequestException, OSError) as error:
            raise SandboxError(f"{what}: {self._silent()}") from error

    def _silent(self) -> str:
        return f"Cannot connect to the Docker daemon at {self.where}. Is the docker daemon running?"
