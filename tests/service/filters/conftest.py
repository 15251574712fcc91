"""What the tests of the filters share."""

from collections.abc import Iterator

import pytest

from tests.service import auth_server as fake


@pytest.fixture
def server() -> Iterator[fake.AuthServer]:
    with fake.serve() as running:
        yield running
