"""Clients whose answers botocore checks against the API's own model."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

Stub = Callable[[str], tuple[Any, Stubber]]


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Make a client of a service, and what stubs it."""
    stubbed: list[tuple[Any, Stubber]] = []

    def make(service: str) -> tuple[Any, Stubber]:
        make_client: Any = boto3.client
        client = make_client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        stubber = Stubber(client)
        stubber.activate()
        stubbed.append((client, stubber))
        return client, stubber

    yield make
    for client, stubber in stubbed:
        stubber.deactivate()
        client.close()
