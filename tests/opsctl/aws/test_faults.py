"""The door to AWS: what went wrong becomes a word for us and a sentence for people."""

from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker

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
    ("error", "may"),
    [
        (client_error("ThrottlingException"), True),
        (client_error("ExpiredToken"), True),
        (exceptions.SSOTokenLoadError(error_msg="x"), True),
        (
            client_error(
                "InvalidSignatureException",
                message="Signature expired: 20261126T120000Z is now earlier than "
                "20261126T121000Z (20261126T122500Z - 15 min.)",
            ),
            True,
        ),
        (client_error("AccessDenied"), False),
        (KeyError("x"), False),
    ],
)
def test_what_may_pass_is_worth_another_look(error: Exception, may: bool) -> None:
    assert aws.may_pass(error) == may


def test_what_botocore_calls_throttling_is_throttling_here_but_for_quotas() -> None:
    checker: Any = ThrottledRetryableChecker  # the stubs leave its list out
    for word in checker._THROTTLED_ERROR_CODES:
        quota = word == "LimitExceededException"
        assert aws.fault(client_error(word)) == ("refused" if quota else "throttled")


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (client_error("ExpiredToken"), "(ExpiredToken)", "aws sso login"),
        (client_error("AccessDenied"), "refused DescribeStacks", "allow this caller"),
        (exceptions.NoCredentialsError(), "no AWS credentials", "opsctl sandbox env"),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
            "nothing answers at http://127.0.0.1:9",
            'eval "$(opsctl sandbox env)"',
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://ecs.us-esat-1.amazonaws.com/"),
            "and no Region `us-esat-1` is known here",
            "correct AWS_REGION or `aws.region`: a Region such as us-",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://ecs.eu-west-1.amazonaws.com/"),
            "nothing answers at https://ecs.eu-west-1.amazonaws.com/",
            "check the network and AWS_ENDPOINT_URL",
        ),
        (exceptions.InvalidRegionError(region_name="a b"), "'a b'", "correct AWS_REGION"),
        (exceptions.RefreshWithMFAUnsupportedError(), "wants an MFA code", "on a terminal"),
        (
            exceptions.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]),
            "the profile cannot be used: Infinite loop",
            "correct the profile",
        ),
        (exceptions.MissingDependencyException(msg="crt"), "aws login", "pipx inject opsctl-ecs"),
        (exceptions.ParamValidationError(report="RoleArn\nis short"), "RoleArn is short", "check"),
        (exceptions.ProfileNotFound(profile="none"), "(none) could not be found", "AWS_PROFILE"),
        (
            exceptions.ConnectionClosedError(endpoint_url="https://x"),
            "no answer from AWS: Connection was closed",
            "check the network",
        ),
        (
            exceptions.ProxyConnectionError(proxy_url="http://127.0.0.1:9"),
            'no answer from AWS: Failed to connect to proxy URL: "http://127.0.0.1:9"',
            "check HTTPS_PROXY and NO_PROXY",
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Signature expired: 20261126T120000Z is now earlier than 20261126T120500Z "
            "(20261126T122000Z - 15 min.)",
            "clock is 20 minutes slow",
        ),
        (
            "Signature not yet current: 20261126T123000Z is still later than 20261126T122500Z "
            "(20261126T121000Z + 15 min.)",
            "clock is 20 minutes fast",
        ),
        ("The request signature we calculated does not match", "does not match"),
    ],
)
def test_a_clock_that_is_wrong_is_named(text: str, said: str) -> None:
    translated = aws.translate(client_error("SignatureDoesNotMatch", 403, text))

    assert isinstance(translated, AwsError)
    assert said in translated.message
    assert ("timedatectl" in str(translated.hint)) is ("clock" in said)


def test_what_is_not_of_aws_is_left_alone() -> None:
    assert aws.translate(ValueError("ours")) is None


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (client_error("ThrottlingException"), "throttled"),
        # A quota of CloudFormation, ECR, ECS, … which no waiting mends.
        (client_error("LimitExceededException"), "refused"),
        (client_error("SlowDown", 429), "throttled"),
        (client_error("ExpiredTokenException"), "expired"),
        (client_error("InternalFailure", 500), "unreachable"),
        (client_error("InternalFailure", 501), "refused"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "unreachable"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "nobody"),
        (client_error("AccessDenied"), "refused"),
        (exceptions.NoCredentialsError(), "refused"),
        (ValueError("ours"), None),
    ],
)
def test_a_fault_says_what_retrying_is_worth(error: Exception, fault: str | None) -> None:
    assert aws.fault(error) == fault


def test_an_answer_that_cannot_be_read_is_quoted_on_one_short_line() -> None:
    text = "Unable to parse response (syntax error), invalid XML. Further retries:\nb'denied'"
    error = aws.translate(ResponseParserError(text))
    assert error is not None
    assert error.message == "what answers is not AWS, or was cut off: denied"
    error = aws.translate(ResponseParserError(text.replace("denied", "<p>" * 1000)))
    assert error is not None and len(error.message) < 120


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "SlowDown"])
def test_every_word_for_throttling_has_the_same_hint(code: str) -> None:
    translated = aws.translate(client_error(code))
    assert translated is not None and "throttles this account" in (translated.hint or "")
