"""The sandbox's blocking calls to a Docker engine: images, containers and their resources.

Failures are SandboxErrors with the ECS agent's words.
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
# Docker's exit code for a container whose end it has not seen.
_UNKNOWN_CODE = 255
_KILLED = 137
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class ContainerEngine:
    """`where` is the engine's address, for messages."""

    def __init__(self, client: "APIClient", where: str) -> None:
        # The stubs lack some options and the shapes of answers.
        self._client: Any = client
        self.where = where

    def close(self) -> None:
        self._client.close()

    def info(self) -> Mapping[str, Any]:
        """Return what `docker info` shows."""
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
        """Create a container and return its id. `options` and `host` are the SDK's arguments."""
        with self._worded("CannotCreateContainerError"):
            config = self._client.create_host_config(**host)
            created = self._client.create_container(
                # Proxies in ~/.docker/config.json cannot reach this machine's loopback.
                use_config_proxy=False,
                host_config=config,
                **options,
            )
            return str(created["Id"])

    def start(self, container: str) -> None:
        with self._worded("CannotStartContainerError"):
            self._client.start(container)

    def lines(self, container: str) -> Iterator[str]:
        """Yield what it writes, from its first line to its end, or the engine's."""
        with suppress(DockerException, RequestException, OSError):
            rest = b""
            for chunk in self._client.logs(container, stream=True, follow=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace").rstrip() for line in whole)
            if rest:
                yield rest.decode(errors="replace").rstrip()

    def wait(self, container: str) -> tuple[int, str]:
        """Wait until it has ended, and return (exit code, reason)."""
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
        return code, ""  # somebody removed it: the code was known before

    def stop_signal(self, container: str) -> str:
        """Return the signal that its image wants to be stopped with."""
        with self._worded(_LOST):
            inspected = self._client.inspect_container(container)
            return str(inspected["Config"].get("StopSignal") or "SIGTERM")

    def kill(self, container: str, signal: str) -> None:
        """Send a signal. Does nothing when the container, or the engine, has ended."""
        with suppress(DockerException, RequestException, OSError):
            self._client.kill(container, signal)

    def usage(self, container: str) -> Usage | None:
        with suppress(DockerException, RequestException, OSError, KeyError):
            # One shot, because otherwise Docker takes two readings a second apart.
            read = self._client.stats(container, stream=False, one_shot=True)
            memory = read["memory_stats"]
            cached = memory.get("stats", {})
            cache = cached.get("inactive_file", cached.get("total_inactive_file", 0))
            used = max(0, memory["usage"] - cache)
            return Usage(read["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, used / (1 << 20))
        return None

    def remove(self, container: str) -> None:
        """Remove it, killing it if it runs. Does nothing when it, or the engine, is gone."""
        with suppress(DockerException, RequestException, OSError):
            self._client.remove_container(container, force=True, v=True)

    def remove_images(self, registry: str, pulled: Iterable[str]) -> None:
        """Remove the images that were pulled, and those that opsctl built for this registry
        (HOST:PORT).

        Layers of a build stay as its cache, and so do images that a container uses.
        """
        with suppress(DockerException, RequestException, OSError):
            built = self._client.images(filters={"label": _BUILT})
            tags = [tag for one in built for tag in one["RepoTags"] or ()]
            for reference in {*pulled, *(tag for tag in tags if tag.startswith(f"{registry}/"))}:
                with suppress(APIError):
                    self._client.remove_image(reference, noprune=True)

    def remove_labelled(self, label: tuple[str, str]) -> list[str]:
        """Remove each container with the label, also ended ones.

        Returns their images' references.
        """
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
