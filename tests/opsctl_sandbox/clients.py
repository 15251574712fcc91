"""Clients of a sandbox, and how a test starts one of its own."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from opsctl_sandbox.images import Registry
from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from opsctl_sandbox.wire.signature import Key
from tests.opsctl_sandbox.shapes import faithful

Connect = Callable[[str], Any]


def start(home: Home, settings: Settings) -> Sandbox:
    *_, last = lifecycle.up(home, settings, os.environ)
    assert last.sandbox is not None
    return last.sandbox


def post(sandbox: Sandbox, page: str, content: Any) -> Any:
    """What a page of the sandbox itself answers."""
    request = urllib.request.Request(
        f"{sandbox.endpoint}/_sandbox/{page}",
        json.dumps(content).encode(),
        {"Authorization": sandbox.keys.pages},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def signed(
    sandbox: Sandbox, service: str, path: str, body: bytes, headers: Mapping[str, str]
) -> Any:
    """A call that no client of boto3 makes, with the operator's key."""
    made = AWSRequest("POST", f"{sandbox.endpoint}{path}", headers=dict(headers), data=body)
    key = sandbox.keys.operator
    SigV4Auth(Credentials(key.id, key.secret), service, "us-east-1").add_auth(made)
    request = urllib.request.Request(str(made.url), body, dict(made.headers), method="POST")
    return urllib.request.urlopen(request, timeout=5)


def registry(sandbox: Sandbox) -> Registry:
    return Registry(sandbox.endpoint, sandbox.keys.registry)


def client(sandbox: Sandbox, service: str, key: Key | None = None) -> Any:
    """A client that sees every error at once; with the operator's key unless there is another."""
    return client_of(environment.variables(sandbox, key), service, (key and key.token) or None)


@contextmanager
def connected(sandbox: Sandbox) -> Iterator[Connect]:
    """What makes clients, and closes them at the end."""
    with ExitStack() as opened:

        def connect(service: str) -> Any:
            return opened.enter_context(closing(client(sandbox, service)))

        yield connect


def client_of(env: Mapping[str, str], service: str, token: str | None = None) -> Any:
    """A client by the variables that `sandbox env` prints."""
    make: Any = boto3.client  # its stubs want a literal name
    made = make(
        service,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )
    made.meta.events.register("after-call", faithful)
    return made
