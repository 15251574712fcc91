"""What the OpenAPI document says is true: schemathesis asks a real process, with all its checks."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.service import auth_server
from tests.service.auth_server import CLIENT_TOKEN, REFRESH_TOKEN
from tests.service.processes import Service, running
from tests.service.redis_server import Redis
from tests.service.server.test_run import caddyfile

# The cids of the security context that the auth server gives.
GUARD = """ secrets SECRETS
 reauth {
  path /v1
  refresh url=AUTH_URL
  failure status code=401
 }
 transformrequest {
  part cid abc|def
 }
"""
OPEN = " transformrequest {\n  scope off\n }\n"


@pytest.fixture(scope="module")
def service(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("openapi"), caddyfile(redis)) as one:
        yield one


def schemathesis(folder: Path, port: int, *options: str) -> str:
    """The last line of a run with every check and phase, the same each time."""
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "run", f"http://127.0.0.1:{port}/openapi.json", "--no-color"]
    command += ["--generation-deterministic", "-n", "25"]
    done = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("port", [80, 8082])
def test_what_is_documented_is_what_is_answered(
    service: Service, tmp_path: Path, port: int
) -> None:
    assert "No issues found" in schemathesis(tmp_path, service.ports[port])


def test_with_a_token_behind_reauth_too(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "secrets.yml").write_text(f"refresh_token: {REFRESH_TOKEN}\n")
    with auth_server.serve() as auth:
        guard = GUARD.replace("AUTH_URL", auth.url).replace("SECRETS", f"{tmp_path}/secrets.yml")
        with running(tmp_path, caddyfile(redis).replace(OPEN, guard)) as service:
            token = ("-H", f"Authorization: Bearer {CLIENT_TOKEN}")
            assert "No issues found" in schemathesis(tmp_path, service.ports[8082], *token)


def test_the_document_names_each_port_s_paths(service: Service) -> None:
    for port, paths in {
        80: ["/status", "/status/fallback", "/health.txt"],
        8082: ["/v1/cids/{cid}/entity_types/{type}/domains/{domain}/keys/{key}"],
    }.items():
        document = orjson.loads(service.request("GET", "/openapi.json", port=port)[1])
        assert list(document["paths"]) == paths
        assert document["openapi"].startswith("3.1")


def test_behind_reauth_the_document_asks_for_a_token(redis: Redis, tmp_path: Path) -> None:
    text = caddyfile(redis).replace(
        " transformrequest",
        " reauth {\n  path /v1\n  simple user=u,password=p\n }\n transformrequest",
        1,
    )
    with running(tmp_path, text) as service:
        document = orjson.loads(service.request("GET", "/openapi.json")[1])
        (item,) = document["paths"].values()
        assert item["get"]["security"] == [{"bearer": []}]
        assert "401" in item["get"]["responses"]
        key = "/v1/cids/c/entity_types/t/domains/d/keys/k"
        assert service.request("GET", key)[0] == 401
