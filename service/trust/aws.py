"""Access to AWS: clients for the log stream, and the values of secret references.

Imported only by those who need AWS, because boto3 takes 15 MB.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.errors import StartError

AwsError = (BotoCoreError, ClientError)

_PASSING = {
    "ExpiredToken",
    "ExpiredTokenException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


class Session:
    """A boto3 session. AWS's own variables apply: profile, endpoint, credentials.

    The Region is AWS_REGION, else AWS_DEFAULT_REGION, as in other SDKs, ECS and opsctl.
    """

    def __init__(self) -> None:
        # boto3 reads only the second one.
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        self._session = boto3.Session(region_name=region or None)

    def has_credentials(self) -> bool:
        try:
            return self._session.get_credentials() is not None
        except BotoCoreError as error:
            raise StartError(f"AWS credentials cannot be loaded: {error}") from error

    def client(self, service: str, *, attempts: int = 3) -> Any:
        """Return a client. botocore retries; `attempts=1` is for callers that retry themselves."""
        config = Config(
            connect_timeout=5,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )
        try:
            return self._session.client(service, config=config)  # type: ignore[call-overload] # by name
        except BotoCoreError as error:
            raise StartError(f"no AWS client for {service}: {error}") from error


def code(error: Exception) -> str:
    """Return AWS's error code, or the name of the error if AWS did not answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_passing(error: Exception) -> bool:
    """Return whether another attempt may succeed:

    AWS is away or busy, or credentials just expired.
    """
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or code(error) in _PASSING


def resolve(reference: str, session: Session | None = None) -> str:
    """Return the value of `ssm:/path`, `secretsmanager:name` or `secretsmanager:name#key`.

    With `#key` it is that member of a JSON object. Errors name the reference only.
    """
    session = session or Session()
    scheme, _, name = reference.partition(":")
    try:
        if scheme == "ssm":
            answer = session.client("ssm").get_parameter(Name=name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        name, _, key = name.partition("#")
        answer = session.client("secretsmanager").get_secret_value(SecretId=name)
    except AwsError as error:
        raise StartError(f"`{reference}` cannot be resolved: {code(error)}") from None
    if "SecretString" not in answer:
        raise StartError(f"`{reference}` is binary; only text secrets can be used")
    text = str(answer["SecretString"])
    return _member(text, key, reference) if key else text


def _member(text: str, key: str, reference: str) -> str:
    """Return one value of a JSON object, as ECS and CloudFormation do for the same reference."""
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise StartError(f"`{reference}` cannot be resolved: the secret is not a JSON object")
    if key not in members:
        raise StartError(f"`{reference}` cannot be resolved: the secret has no key `{key}`")
    value = members[key]
    return value if isinstance(value, str) else json.dumps(value)
