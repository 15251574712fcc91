"""Clients of a sandbox, and how a test starts one of its own."""

import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings

Connect = Callable[[str], Any]


def start(home: Home, settings: Settings) -> Sandbox:
    *_, last = lifecycle.up(home, settings, os.environ)
    assert last.sandbox is not None
    return last.sandbox


def client(endpoint: str, service: str) -> Any:
    """A client that sees every error at once."""
    make: Any = boto3.client  # its stubs want a literal name
    return make(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )
