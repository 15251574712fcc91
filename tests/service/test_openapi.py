"""What the OpenAPI document says is true: schemathesis asks a real process, within bounds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.service.conftest import Redis
from tests.service.processes import Service, running
from tests.service.test_run import caddyfile


@pytest.fixture(scope="module")
def service(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("openapi"), caddyfile(redis)) as one:
        yield one


@pytest.mark.parametrize("port", [80, 8082])
def test_what_is_documented_is_what_is_answered(service: Service, port: int) -> None:
    where = f"http://127.0.0.1:{service.ports[port]}"
    schema = schemathesis.openapi.from_url(f"{where}/openapi.json")
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) == {80: 3, 8082: 5}[port]
    for operation in operations:

        @settings(
            max_examples=60,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def asked(case: schemathesis.Case[Any]) -> None:
            # A schema cannot say that query and form may not both hold an attribute.
            case.call_and_validate(base_url=where, excluded_checks=[positive_data_acceptance])

        asked()


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
