"""The door to AWS: errors become sentences, and a follow outlasts an outage."""

from typing import Any

import pytest
from botocore import exceptions

from opsctl import aws
from opsctl.config.model import Aws
from opsctl.errors import AwsError


def client_error(code: str, status: int = 400, message: str = "no") -> exceptions.ClientError:
    return exceptions.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]  # the rest is never read
        },
        "DescribeStacks",
    )


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (client_error("ExpiredToken"), "(ExpiredToken)", "aws sso login"),
        (client_error("AccessDenied"), "refused DescribeStacks", "allow this caller"),
        (exceptions.NoCredentialsError(), "no AWS credentials", "opsctl sandbox env"),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
            "nothing answers at http://127.0.0.1:9",
            "opsctl sandbox up",
        ),
        (exceptions.ProfileNotFound(profile="none"), "(none) could not be found", "list-profiles"),
        (
            exceptions.ConnectionClosedError(endpoint_url="https://x"),
            "could not be asked: Connection was closed",
            "check the network",
        ),
    ],
)
def test_each_refusal_is_a_sentence_with_a_next_command(
    error: Exception, said: str, hint: str
) -> None:
    translated = aws.translate(error)

    assert isinstance(translated, AwsError)
    assert said in translated.message
    assert hint in str(translated.hint)


def test_what_is_not_of_aws_is_left_alone() -> None:
    assert aws.translate(ValueError("ours")) is None


def test_no_region_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(AwsError, match="no AWS Region"):
        aws.connect(Aws())


class Call:
    """Raises each of `failures`, then returns 'done'."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def test_a_follow_outlasts_an_outage() -> None:
    slept: list[float] = []
    refused = exceptions.EndpointConnectionError(endpoint_url="http://x")
    call = Call(refused, client_error("Throttling"), client_error("InternalFailure", 500))

    assert aws.patiently(call, sleep=slept.append) == "done"
    assert len(slept) == 2


def test_what_is_only_good_to_know_is_left_out_when_aws_does_not_tell() -> None:
    def refused() -> str:
        raise exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    def wrong() -> str:
        raise KeyError("a mistake of ours")

    assert aws.optional(lambda: "told", "") == "told"
    assert aws.optional(refused, "") == ""
    with pytest.raises(KeyError):
        aws.optional(wrong, "")


def test_a_refusal_is_not_waited_out() -> None:
    slept: list[Any] = []

    with pytest.raises(exceptions.ClientError):
        aws.patiently(Call(client_error("AccessDenied", 403)), sleep=slept.append)
    assert slept == []


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (client_error("ThrottlingException"), "throttled"),
        (client_error("SlowDown", 429), "throttled"),
        (client_error("ExpiredTokenException"), "expired"),
        (client_error("InternalFailure", 500), "unreachable"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "unreachable"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "nobody"),
        (client_error("AccessDenied"), "refused"),
        (exceptions.NoCredentialsError(), "refused"),
        (ValueError("ours"), None),
    ],
)
def test_a_fault_says_what_retrying_is_worth(error: Exception, fault: str | None) -> None:
    assert aws.fault(error) == fault


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_variable_names_the_region(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for unset in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(unset, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    assert aws.connect(Aws()).region == "eu-west-1"
