"""Planned faults reach a real client in the shape its protocol has for them."""

import asyncio
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import parsers
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    ResponseStreamingError,
)

from opsctl_sandbox.faults.on_the_wire import Faults
from opsctl_sandbox.process.home import Home, Sandbox
from opsctl_sandbox.wire import codec
from opsctl_sandbox.wire.calls import Refused
from tests.opsctl_sandbox import clients
from tests.opsctl_sandbox.clients import Connect

# One harmless call for each protocol: json, query, ec2, json that once was query, rest-xml.
CALLS = [
    ("logs", "describe_log_groups", "logs:DescribeLogGroups"),
    ("cloudformation", "list_exports", "cloudformation:ListExports"),
    ("ec2", "describe_vpcs", "ec2:DescribeVpcs"),
    ("cloudwatch", "list_metrics", "monitoring:ListMetrics"),
    ("s3", "list_buckets", "s3:*"),
]


def post(sandbox: Sandbox, content: Any) -> Any:
    return clients.post(sandbox, "faults", content)


def get(sandbox: Sandbox, path: str) -> Any:
    """Of the registry, after a login."""
    headers = {"Authorization": sandbox.keys.registry}
    request = urllib.request.Request(f"{sandbox.endpoint}/v2/{path}", headers=headers)
    return urllib.request.urlopen(request, timeout=5)


@pytest.fixture
def plan(sandbox: Sandbox) -> Iterator[Any]:
    yield lambda *rules: post(sandbox, rules)
    post(sandbox, [])


# What each service says, in the order of KINDS.
KINDS = ("throttle", "error", "expired", "denied")
WORDS = {
    "logs": ["ThrottlingException", "InternalFailure", "ExpiredTokenException"]
    + ["AccessDeniedException"],
    "cloudformation": ["Throttling", "InternalFailure", "ExpiredToken", "AccessDenied"],
    "ec2": ["RequestLimitExceeded", "InternalError", "RequestExpired", "UnauthorizedOperation"],
    "cloudwatch": ["Throttling", "InternalFailure", "ExpiredToken", "AccessDenied"],
    "s3": ["SlowDown", "InternalError", "ExpiredToken", "AccessDenied"],
}
STATUSES = {
    "logs": [400, 500, 400, 400],
    "cloudformation": [400, 500, 403, 403],
    "ec2": [503, 500, 400, 403],
    "cloudwatch": [400, 500, 403, 403],
    "s3": [503, 500, 400, 403],
}


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_has_the_shape_of_its_protocol(
    connect: Connect, plan: Any, service: str, method: str, operation: str, kind: str
) -> None:
    plan({"kind": kind, "operation": operation})
    with pytest.raises(ClientError) as caught:
        getattr(connect(service), method)()

    index = KINDS.index(kind)
    answer = caught.value.response
    assert answer["Error"]["Code"] == WORDS[service][index]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == STATUSES[service][index]
    assert answer["Error"]["Message"]


@pytest.mark.parametrize(("kind", "code"), list(zip(KINDS, WORDS["cloudwatch"], strict=True)))
def test_a_client_that_speaks_cbor_reads_it_too(
    sandbox: Sandbox, plan: Any, kind: str, code: str
) -> None:
    plan({"kind": kind, "operation": "monitoring:ListMetrics"})
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        clients.signed(sandbox, "monitoring", path, b"\xa0", headers)  # an empty map
    with caught.value as answer:
        parser: Any = parsers.create_parser(codec.CBOR)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        content = {"status_code": answer.code, "headers": headers, "body": answer.read()}

    assert parser.parse(content, None)["Error"]["Code"] == code


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
def test_a_throttled_call_is_one_that_boto3_tries_again(
    sandbox: Sandbox, plan: Any, service: str, method: str, operation: str
) -> None:
    plan({"kind": "throttle", "operation": operation, "times": 1})
    client = boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=sandbox.endpoint,
        region_name="us-east-1",
        aws_access_key_id=sandbox.keys.operator.id,
        aws_secret_access_key=sandbox.keys.operator.secret,
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
    )
    answer = getattr(client, method)()
    client.close()

    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(("service", "method", "operation"), CALLS)
def test_a_rule_says_code_status_and_message_itself(
    connect: Connect, plan: Any, service: str, method: str, operation: str
) -> None:
    plan({"kind": "error", "operation": operation, "code": "Odd", "status": 418, "message": "m&<"})
    with pytest.raises(ClientError) as caught:
        getattr(connect(service), method)()

    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == ("Odd", "m&<")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 418


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


def struck(faults: Faults, calls: int) -> list[bool]:
    """Which of so many calls a rule struck."""

    async def history() -> list[bool]:
        outcomes = []
        for _ in range(calls):
            try:
                await faults.apply("ecs", "ListTasks", "json")
                outcomes.append(False)
            except Refused:
                outcomes.append(True)
        return outcomes

    return asyncio.run(history())


def test_a_probability_has_the_same_history_for_the_same_seed(tmp_path: Path) -> None:
    rules = [{"kind": "throttle", "probability": 0.5}]
    histories = []
    for seed in (7, 7, 8):
        faults = Faults(tmp_path / "none", seed=seed)
        faults.plan(rules)
        histories.append(struck(faults, 40))
    faults.plan(rules)

    assert histories[0] == histories[1] != histories[2]
    assert histories[2] == struck(faults, 40)
    assert 10 < sum(histories[0]) < 30


def test_a_delay_lets_the_call_through_late(connect: Connect, plan: Any) -> None:
    plan({"kind": "delay", "operation": "sts:*", "seconds": 0.3})
    started = time.monotonic()
    connect("sts").get_caller_identity()

    assert time.monotonic() - started >= 0.3


def test_a_file_plans_faults_too(home: Home, connect: Connect, plan: Any) -> None:
    (home.path / "faults.json").write_text('[{"kind": "throttle", "operation": "ecr:*"}]')
    with pytest.raises(ClientError, match="Rate exceeded"):
        connect("ecr").describe_repositories()


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "TOOMANYREQUESTS", 429),
        ("error", "UNKNOWN", 500),
        ("expired", "DENIED", 403),
        ("denied", "DENIED", 403),
    ],
)
def test_an_error_of_the_registry_has_its_own_shape(
    sandbox: Sandbox, plan: Any, kind: str, code: str, status: int
) -> None:
    plan({"kind": kind, "operation": "registry:GET"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(sandbox, "")

    with caught.value as answer:
        assert answer.code == status
        assert json.loads(answer.read())["errors"][0]["code"] == code


def test_the_registry_cuts_connections_and_bodies(
    sandbox: Sandbox, connect: Connect, plan: Any, unique: str
) -> None:
    ecr = connect("ecr")
    ecr.create_repository(repositoryName=unique)
    ecr.put_image(repositoryName=unique, imageManifest='{"schemaVersion": 2}', imageTag="v1")
    manifest = f"{unique}/manifests/v1"
    plan({"kind": "truncate", "operation": "registry:GET", "times": 1})
    with pytest.raises(http.client.IncompleteRead), get(sandbox, manifest) as answer:
        answer.read()
    plan({"kind": "reset", "operation": "registry:GET", "times": 1})
    with pytest.raises(OSError):
        get(sandbox, manifest)

    with get(sandbox, manifest) as answer:
        assert json.loads(answer.read()) == {"schemaVersion": 2}


def refused(sandbox: Sandbox, call: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        call()
    with caught.value as answer:
        assert answer.code == 400
        return str(json.loads(answer.read())["error"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "explode"}, "a fault's kind is one of throttle"),
        ({"kind": "throttle", "operaton": "x"}, "unknown key operaton"),
        ({}, "a fault's kind is one of"),
        ("text", 'a fault is an object with a kind, not "text"'),
        ({"kind": "throttle", "times": "two"}, "a fault's times is a whole number or null"),
        ({"kind": "throttle", "times": -1}, "a fault's times is a whole number"),
        ({"kind": "throttle", "skip": None}, "a fault's skip is a whole number, not null"),
        ({"kind": "throttle", "probability": 2}, "a fault's probability is a number from 0 to 1"),
        ({"kind": "delay", "seconds": "1s"}, "a fault's seconds is a number of seconds"),
        ({"kind": "error", "status": 200}, "a fault's status is an HTTP status of 400 or more"),
        ({"kind": "error", "operation": 7}, "a fault's operation is a text"),
    ],
)
def test_an_invalid_rule_is_refused_with_a_sentence(
    sandbox: Sandbox, rule: Any, message: str
) -> None:
    assert message in refused(sandbox, lambda: post(sandbox, [rule]))


def test_rules_that_are_not_a_list_are_refused_with_a_sentence(sandbox: Sandbox) -> None:
    assert "list of rules" in refused(sandbox, lambda: post(sandbox, {"kind": "throttle"}))


def test_a_file_that_cannot_be_read_leaves_the_last_rules_in_force(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    faults = Faults(file)
    file.write_text('[{"kind": "throttle"}]')
    assert struck(faults, 1) == [True]
    file.write_text('[{"kind": "thro')
    os.utime(file, (1, 1))

    assert struck(faults, 1) == [True]
    with pytest.raises(ValueError, match=r"faults\.json:1:11 is not JSON"):
        faults.state()
    file.write_text("[]")
    assert faults.state() == []
    assert struck(faults, 1) == [False]


def test_removing_the_file_ends_its_rules(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    faults = Faults(file)
    file.write_text('[{"kind": "throttle"}]')
    assert struck(faults, 1) == [True]
    file.unlink()
    assert struck(faults, 1) == [False]
    assert faults.state() == []


def test_an_unknown_operation_is_an_aws_error_and_not_a_page(connect: Connect) -> None:
    with pytest.raises(ClientError) as caught:
        connect("service-quotas").list_services()

    assert caught.value.response["Error"]["Code"] in (
        "UnknownOperationException",
        "InvalidAction",
    )


def test_other_rules_may_be_planned_while_a_call_is_delayed(tmp_path: Path) -> None:
    async def play() -> None:
        faults = Faults(tmp_path / "faults.json")
        faults.plan([{"kind": "delay", "seconds": 0.01}, {"kind": "throttle"}])
        delayed = asyncio.create_task(faults.apply("ecs", "ListClusters", "json"))
        await asyncio.sleep(0)
        faults.plan([])
        with pytest.raises(Refused):
            await delayed
        assert faults.state() == []

    asyncio.run(play())
