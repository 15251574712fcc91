"""The door to boto3, driven with real clients and botocore's Stubber."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from service.errors import StartError
from service.trust import aws


class Stubbed(aws.Session):
    """A session that hands out one prepared client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, service: str, *, attempts: int = 3) -> Any:
        assert self._client.meta.service_model.service_name == service
        return self._client


def client_of(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_an_ssm_reference_is_read_decrypted() -> None:
    ssm = client_of("ssm")
    with Stubber(ssm) as stub:
        stub.add_response(
            "get_parameter",
            {"Parameter": {"Value": "s3cret"}},
            {"Name": "/app/token", "WithDecryption": True},
        )
        assert aws.resolve("ssm:/app/token", Stubbed(ssm)) == "s3cret"
        stub.assert_no_pending_responses()


def test_a_secretsmanager_reference_may_be_an_arn_with_colons() -> None:
    manager = client_of("secretsmanager")
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:redis-AbCdEf"
    with Stubber(manager) as stub:
        stub.add_response("get_secret_value", {"SecretString": "s3cret"}, {"SecretId": arn})
        assert aws.resolve(f"secretsmanager:{arn}", Stubbed(manager)) == "s3cret"


def resolved(reference: str, text: str) -> str:
    manager = client_of("secretsmanager")
    with Stubber(manager) as stub:
        stub.add_response("get_secret_value", {"SecretString": text}, {"SecretId": "orders"})
        return aws.resolve(reference, Stubbed(manager))


def test_a_key_after_the_name_is_one_member_of_the_secret() -> None:
    assert resolved("secretsmanager:orders#token", '{"token": "s3cret", "b": 1}') == "s3cret"
    assert resolved("secretsmanager:orders#b", '{"token": "s3cret", "b": 1}') == "1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"other": "canary"}', "the secret has no key `token`"),
        ("canary", "not a JSON object"),
        ('["canary"]', "not a JSON object"),
    ],
)
def test_a_key_that_the_secret_has_not_stops_the_start(text: str, said: str) -> None:
    with pytest.raises(StartError, match=f"`secretsmanager:orders#token` cannot be .*{said}") as no:
        resolved("secretsmanager:orders#token", text)
    assert "canary" not in str(no.value) and no.value.__cause__ is None


def test_a_binary_secret_is_refused() -> None:
    manager = client_of("secretsmanager")
    with Stubber(manager) as stub:
        stub.add_response("get_secret_value", {"SecretBinary": b"\x00"}, {"SecretId": "x"})
        with pytest.raises(StartError, match="`secretsmanager:x` is binary"):
            aws.resolve("secretsmanager:x", Stubbed(manager))


def test_what_aws_refuses_stops_the_start_with_its_word() -> None:
    ssm = client_of("ssm")
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "ParameterNotFound", "nope")
        with pytest.raises(
            StartError, match=r"^`ssm:/gone` cannot be resolved: ParameterNotFound$"
        ):
            aws.resolve("ssm:/gone", Stubbed(ssm))


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
def test_the_region_is_the_one_that_the_tool_takes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert aws.Session().client("logs").meta.region_name == region
