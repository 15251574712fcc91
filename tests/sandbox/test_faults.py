"""Planned faults reach a real client in the shape its protocol has for them."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    ResponseStreamingError,
)

from opsctl.sandbox.calls import Refused
from opsctl.sandbox.faults import Faults
from opsctl.sandbox.home import Home, Sandbox
from tests.sandbox.clients import Connect

# One harmless call for each protocol: json, query, ec2, CBOR, rest-xml.
CALLS = [
    ("logs", "describe_log_groups", "logs:DescribeLogGroups"),
    ("cloudformation", "list_exports", "cloudformation:ListExports"),
    ("ec2", "describe_vpcs", "ec2:DescribeVpcs"),
    ("cloudwatch", "list_metrics", "monitoring:ListMetrics"),
    ("s3", "list_buckets", "s3:*"),
]


def post(sandbox: Sandbox, content: Any) -> Any:
    request = urllib.request.Request(
        f"{sandbox.endpoint}/_sandbox/faults", json.dumps(content).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


@pytest.fixture
def plan(sandbox: Sandbox) -> Iterator[Any]:
    yield lambda *rules: post(sandbox, rules)
    post(sandbox, [])


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
@pytest.mark.parametrize(
    ("kind", "codes", "status"),
    [
        ("throttle", {"Throttling", "ThrottlingException"}, 400),
        ("error", {"InternalFailure"}, 500),
        ("expired", {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}, 400),
        ("denied", {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}, 400),
    ],
)
def test_each_protocol_says_it_in_its_own_way(
    connect: Connect,
    plan: Any,
    service: str,
    method: str,
    operation: str,
    kind: str,
    codes: set[str],
    status: int,
) -> None:
    plan({"kind": kind, "operation": operation})
    with pytest.raises(ClientError) as caught:
        getattr(connect(service), method)()

    assert caught.value.response["Error"]["Code"] in codes
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
def test_a_reset_connection_is_a_connection_error(
    connect: Connect, plan: Any, service: str, method: str, operation: str
) -> None:
    plan({"kind": "reset", "operation": operation, "times": 1})
    with pytest.raises((ConnectionError, HTTPClientError)):
        getattr(connect(service), method)()

    getattr(connect(service), method)()


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
def test_a_truncated_body_breaks_while_it_is_read(
    connect: Connect, plan: Any, service: str, method: str, operation: str
) -> None:
    plan({"kind": "truncate", "operation": operation})
    with pytest.raises((ConnectionError, HTTPClientError, ResponseStreamingError)):
        getattr(connect(service), method)()


def test_times_and_skip_count_matching_calls(connect: Connect, plan: Any) -> None:
    plan({"kind": "throttle", "operation": "logs:Describe*", "skip": 1, "times": 2})
    logs = connect("logs")

    def outcome() -> bool:
        try:
            logs.describe_log_groups()
        except ClientError:
            return False
        return True

    assert [outcome() for _ in range(5)] == [True, False, False, True, True]


def test_a_probability_has_the_same_history_for_the_same_seed() -> None:
    async def history(seed: int) -> list[bool]:
        faults = Faults(Path("/nonexistent"), seed=seed)
        faults.plan([{"kind": "throttle", "probability": 0.5}])
        outcomes = []
        for _ in range(40):
            try:
                await faults.meet("ecs", "ListTasks")
                outcomes.append(True)
            except Refused:
                outcomes.append(False)
        return outcomes

    first = asyncio.run(history(7))
    assert first == asyncio.run(history(7)) != asyncio.run(history(8))
    assert 10 < sum(first) < 30


def test_a_delay_lets_the_call_through_late(connect: Connect, plan: Any) -> None:
    plan({"kind": "delay", "operation": "sts:*", "seconds": 0.3})
    started = time.monotonic()
    connect("sts").get_caller_identity()

    assert time.monotonic() - started >= 0.3


def test_a_file_plans_faults_too(home: Home, connect: Connect, plan: Any) -> None:
    (home.path / "faults.json").write_text('[{"kind": "throttle", "operation": "ecr:*"}]')
    with pytest.raises(ClientError, match="Rate exceeded"):
        connect("ecr").describe_repositories()


def test_the_registry_can_refuse(sandbox: Sandbox, plan: Any) -> None:
    plan({"kind": "denied", "operation": "registry:*", "code": "DENIED"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{sandbox.endpoint}/v2/", timeout=5)

    with caught.value as answer:
        assert json.loads(answer.read())["errors"][0]["code"] == "DENIED"


@pytest.mark.parametrize(
    "rule", [{"kind": "explode"}, {"kind": "throttle", "operaton": "x"}, {}, "text"]
)
def test_a_rule_that_makes_no_sense_is_refused(sandbox: Sandbox, rule: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(sandbox, [rule])

    with caught.value as answer:
        assert answer.code == 400


def test_what_nobody_answers_is_an_aws_error_and_no_page(connect: Connect) -> None:
    with pytest.raises(ClientError) as caught:
        connect("service-quotas").list_services()

    assert caught.value.response["Error"]["Code"] in (
        "UnknownOperationException",
        "InvalidAction",
    )
