"""Build with BuildKit through `docker buildx`: cache mounts, secrets, heredocs.

The SDK supports the classic builder only. The image is loaded into the engine, so that both
builders push the same way, with a token that appears on no command line.
"""

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from typing import IO

from opsctl.docker.progress import BuildRequest, Progress, build_error, plain, with_lines

_ANSWERS = 20  # seconds to wait for `docker buildx version`
# `#7 [service 2/9] WORKDIR /app`, `#7 0.513 what the step printed`, `#7 DONE 0.2s`
_LINE = re.compile(r"#(\d+) (.+)")
# Build arguments of these names would change what the docker CLI itself does.
_OF_THE_CLI = re.compile(r"DOCKER|BUILD|COMPOSE|.*_PROXY$", re.IGNORECASE)
_ERROR = re.compile(r"ERROR: (?:failed to (?:build|solve): )*(.+)")


class Buildx:
    """Builds with the engine and the builder that the docker CLI of this machine uses."""

    def __init__(self, command: str) -> None:
        self._command = command

    def build(self, context: IO[bytes], request: BuildRequest) -> Iterator[Progress]:
        """Build and yield the output line by line. The last item's `result` is the image's tag."""
        words = [self._command, "buildx", "build", "--load", "--progress", "plain"]
        words += ["--file", request.dockerfile, "--tag", request.tag]
        for option, value in (
            ("--target", request.target),
            ("--platform", request.platform),
            ("--network", request.network),
        ):
            words += [option, value] if value else []
        words += ["--pull"] if request.pull else []
        words += ["--no-cache"] if request.fresh else []
        for name, value in request.labels.items():
            words += ["--label", f"{name}={value}"]
        variables: dict[str, str] = {}
        for name, value in request.arguments.items():
            # A command line is visible to every user of this machine, an environment is not.
            if _OF_THE_CLI.match(name) or name in os.environ:
                words += ["--build-arg", f"{name}={value}"]
            else:
                variables[name] = value
                words += ["--build-arg", name]
        yield from _run([*words, "-"], context, variables)
        yield Progress("built", result=request.tag)


def _run(words: list[str], context: IO[bytes], variables: Mapping[str, str]) -> Iterator[Progress]:
    lines: deque[str] = deque(maxlen=12)
    reason = ""
    process = subprocess.Popen(
        words,
        # Attestations would turn a single image into an index.
        env={**os.environ, **variables, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        stdin=context,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            text = plain(line)
            if not text:
                continue
            lines.append(text)
            if error := _ERROR.fullmatch(text):
                reason = error[1]
            yield _progress(text)
        code = process.wait()
    finally:
        # also when the caller stops reading
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    if code:
        raise build_error(reason or with_lines(f"buildx ended with {code}", ()), lines)


def find() -> Buildx | None:
    """Return None when the docker CLI or its buildx component is missing or broken."""
    command = shutil.which("docker")
    if command is None or os.environ.get("DOCKER_BUILDKIT") == "0":
        return None
    try:
        done = subprocess.run(
            [command, "buildx", "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWERS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Buildx(command) if done.returncode == 0 else None


def _progress(text: str) -> Progress:
    match = _LINE.fullmatch(text)
    return Progress(match[2] if match else text)
