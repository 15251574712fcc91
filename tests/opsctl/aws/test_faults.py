"""The door to AWS: what went wrong becomes a word for us and a sentence for people."""

import pytest
from botocore import exceptions

from opsctl import aws
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
            "no answer from AWS: Connection was closed",
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
