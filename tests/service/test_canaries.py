"""The whole chain as a process, with canaries for secrets: what is logged, and what never is."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.service import auth_server as fake
from tests.service.auth_server import CLIENT_TOKEN, REFRESH_TOKEN, Reply
from tests.service.sandbox import Cloud, running

CADDYFILE = """
:80 {
    redir / /health.txt
}
:8082 {
    secrets secrets.yml
    awscloudwatch LEVEL app development 65536
    reauth {
        path /v1
        refresh url=AUTH_URL,timeout=500ms,follow=true,cache_path=cache,lock_timeout=5s
        failure status code=401
    }
    transformrequest
    redis 127.0.0.1:1 testing
    transformresponse
}
"""
ENTITY = "/v1/cids/abc/entity_types/user/domains/d/keys/k1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "canary-aws-key"}


@dataclass
class Service:
    ports: list[int]
    folder: Path
    process: "subprocess.Popen[bytes]"

    def send(self, method: str, path: str, token: str | None = CLIENT_TOKEN, site: int = 1) -> int:
        return self.read(method, path, token, site)[0]

    def read(
        self, method: str, path: str, token: str | None = CLIENT_TOKEN, site: int = 1
    ) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[site]}{path}", method=method
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def stop(self) -> str:
        self.process.terminate()
        self.process.wait(30)
        assert self.process.returncode == 0
        return (self.folder / "stderr").read_text()


@contextmanager
def serving(
    folder: Path, auth_url: str, level: str, environment: dict[str, str]
) -> Iterator[Service]:
    text = CADDYFILE.replace("AUTH_URL", auth_url).replace("LEVEL", level)
    (folder / "Caddyfile").write_text(text)
    (folder / "secrets.yml").write_text("refresh_token: ssm:/app/refresh_token\nredis: canary-re\n")
    if "AWS_ENDPOINT_URL" not in environment:
        (folder / "secrets.yml").write_text(f"refresh_token: {REFRESH_TOKEN}\n")
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            ports.append(probe.getsockname()[1])
    command = [sys.executable, "-m", "service", "run"]
    command += ["--listen", f"80=127.0.0.1:{ports[0]}", "--listen", f"8082=127.0.0.1:{ports[1]}"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nothing = {"AWS_CONFIG_FILE": "absent", "AWS_SHARED_CREDENTIALS_FILE": "absent"}
    nothing |= {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": os.getcwd()}
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env=inherited | nothing | environment, stderr=stderr
        )
    try:
        service = Service(ports, folder, process)
        _wait_for(service)
        yield service
    finally:
        process.kill()
        process.wait(10)


def _wait_for(service: Service) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and service.process.poll() is None:
        try:
            service.send("GET", "/health.txt", None, site=0)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError((service.folder / "stderr").read_text())


def misbehave(service: Service, auth: fake.AuthServer) -> list[int]:
    """A request for each way in which things go well or wrong."""
    statuses = [service.send("PUT", f"{ENTITY}?name=x"), service.send("GET", ENTITY)]
    statuses += [service.send("GET", ENTITY, None), service.send("GET", ENTITY, "canary-no")]
    statuses += [service.send("GET", f"{ENTITY}?security_context=%7B%7D", None)]
    statuses += [service.send("GET", ENTITY.replace("abc", "other"))]
    for reply in (Reply(500, b"canary"), Reply(200, b"canary"), Reply(delay=2.0)):
        auth.answer = lambda call, reply=reply: reply  # type: ignore[misc]
        statuses.append(service.send("GET", f"{ENTITY}?x=canary-query", "canary-away"))
    statuses.append(service.send("GET", ENTITY))
    return statuses


STATUSES = [201, 200, 401, 401, 401, 403, 502, 502, 504, 200]


def test_errors_reach_cloudwatch_and_no_secret_reaches_anything(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    with fake.serve() as auth, running(tmp_path / "aws") as cloud:
        credentials = {
            "AWS_ACCESS_KEY_ID": cloud.key,
            "AWS_SECRET_ACCESS_KEY": cloud.secret,
            "AWS_ENDPOINT_URL": cloud.url,
            "AWS_REGION": "us-east-1",
        }
        prepare(cloud)
        with serving(tmp_path, auth.url, "warning", credentials) as service:
            assert misbehave(service, auth) == STATUSES
            _, status = service.read("GET", "/status", None, site=0)
            said = service.stop()
        name, lines = logged(cloud)
    assert name.startswith("development20")
    assert name.endswith(f"-{socket.gethostname()}-{service.process.pid}")
    assert [line["status"] for line in lines] == [each for each in STATUSES if each >= 401]
    assert [line["level"] for line in lines] == ["warning"] * 4 + ["error"] * 3
    assert all(line["method"] == "GET" and line["request_id"] for line in lines)
    files = [
        file.name.encode() + file.read_bytes()
        for file in (tmp_path / "cache").rglob("*")
        if file.is_file()
    ]
    assert len(files) == 2
    assert b"canary" not in status + b"".join(files)
    assert "canary" not in said + json.dumps(lines)
    assert cloud.secret not in said + json.dumps(lines)


def prepare(cloud: Cloud) -> None:
    with_credentials(cloud, "logs").create_log_group(logGroupName="app")
    with_credentials(cloud, "ssm").put_parameter(
        Name="/app/refresh_token", Value=REFRESH_TOKEN, Type="SecureString"
    )


def logged(cloud: Cloud) -> tuple[str, list[dict[str, Any]]]:
    logs = with_credentials(cloud, "logs")
    (stream,) = logs.describe_log_streams(logGroupName="app")["logStreams"]
    name = stream["logStreamName"]
    answer = logs.get_log_events(logGroupName="app", logStreamName=name, startFromHead=True)
    return name, [json.loads(event["message"]) for event in answer["events"]]


def with_credentials(cloud: Cloud, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=cloud.url,
        region_name="us-east-1",
        aws_access_key_id=cloud.key,
        aws_secret_access_key=cloud.secret,
    )


@pytest.mark.parametrize("level", ["debug", "error"])
def test_without_aws_the_lines_are_on_standard_error(tmp_path: Path, level: str) -> None:
    with fake.serve() as auth, serving(tmp_path, auth.url, level, {}) as service:
        assert misbehave(service, auth) == STATUSES
        said = service.stop()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    statuses = [line["status"] for line in lines if line["path"].startswith("/v1")]
    assert statuses == [each for each in STATUSES if each >= 500 or level == "debug"]
    assert said.count("no AWS credentials") == 1
    assert "canary" not in said
