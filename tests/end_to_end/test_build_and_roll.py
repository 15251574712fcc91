"""The whole of `update-tasks` with a real engine: template to image to registry to answers."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.end_to_end.place import ROOT, Place, events
from tests.engine.conftest import engine_host

__all__ = ["engine_host"]  # a fixture
pytestmark = pytest.mark.timeout(600)

TEMPLATE = """\
:80 {
    redir / /health.txt
}
:8082 {
    secrets SECRETS_FILE
    transformrequest {
        scope off
    }
    redis REDIS_ADDRESS fallback
    transformresponse
}
"""


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place], engine_host: str) -> Iterator[Place]:
    made = system("built")
    folder = made.folder
    config = (folder / "opsctl.yaml").read_text()
    for before, after in (
        ("desired_count: 8", "desired_count: 2"),
        ("network: null  ", "network: host"),
        ("    AUTH_URL: https://auth.example.com\n", "    {}\n"),
    ):
        assert before in config
        config = config.replace(before, after, 1)
    (folder / "opsctl.yaml").write_text(config)
    (folder / "Caddyfile_template").write_text(TEMPLATE)
    (folder / ".secrets.yml").write_text("refresh_token: canary-on-disk\n")
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("service", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    place = Place(folder, {**made.env, "DOCKER_HOST": engine_host, "HOME": str(folder)})
    for stack in ("db", "ecs"):
        done = place.opsctl(stack, "up", "--yes")
        assert done.returncode == 0, done.stderr
    yield place
    # Nothing of the login stays behind.
    assert not (folder / ".docker" / "config.json").exists()


def update(place: Place) -> tuple[dict[str, Any], str, float]:
    started = time.monotonic()
    done = place.opsctl("update-tasks", "--yes", "--json", timeout=400)
    assert done.returncode == 0, done.stderr
    [release] = events(done, "release")
    assert "ministack-auth-token" not in done.stdout + done.stderr
    return release, done.stderr, time.monotonic() - started


def output(place: Place, name: str) -> str:
    done = place.opsctl("ecs", "status", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return str(next(each["outputs"][name] for each in found if name in each["outputs"]))


def test_from_a_template_to_an_answer_and_again_to_nothing(place: Place) -> None:
    release, said, whole = update(place)
    assert release["outcome"] == "deployed"
    assert "@sha256:" in release["image"]
    assert "confirmed by the registry" in said

    url = f"http://{output(place, 'LoadBalancerDNSName')}"
    entity = f"{url}/v1/cids/1/entity_types/user/domains/profile/keys/ann"
    urlopen(Request(f"{entity}?name=Ann", method="PUT"), timeout=5).close()
    with urlopen(entity, timeout=5) as response:
        assert json.load(response)["attributes"] == {"name": "Ann"}

    again, said, nothing = update(place)
    assert again["outcome"] == "no-changes"
    assert "not built, not pushed" in said
    assert nothing < whole / 4


def test_an_edit_of_the_template_is_shown_built_and_rolled(place: Place) -> None:
    first, _, _ = update(place)
    template = place.folder / "Caddyfile_template"
    template.write_text(TEMPLATE.replace("    redir", "    # edited\n    redir"))
    second, said, _ = update(place)
    assert second["image"] != first["image"]
    assert "+    # edited" in said
    assert "# edited" in Path(place.folder / "Caddyfile").read_text()

    template.write_text(TEMPLATE)
    back, said, _ = update(place)
    assert back["image"] == first["image"]
    assert "not built, not pushed" in said


def test_a_dockerfile_that_fails_shows_its_last_lines_and_rolls_nothing(place: Place) -> None:
    dockerfile = place.folder / "Dockerfile"
    good = dockerfile.read_text()
    dockerfile.write_text(
        good.replace("COPY service", "RUN echo the reason && false\nCOPY service")
    )
    done = place.opsctl("update-tasks", "--yes", timeout=400)
    dockerfile.write_text(good)
    assert done.returncode == 1
    assert "the build failed" in done.stderr and "the reason" in done.stderr
