"""The service's one door to boto3: clients for the log stream, and values of secret references.

Imported lazily by those who need AWS, because botocore costs 20 MB that local runs need not pay.
"""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.errors import StartError

AwsError = (BotoCoreError, ClientError)

_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
)


class Session:
    """A boto3 session, made once; AWS's own variables (profile, region, endpoint) apply."""

    def __init__(self) -> None:
        self._session = boto3.Session()

    def has_credentials(self) -> bool:
        try:
            return self._session.get_credentials() is not None
        except BotoCoreError as error:
            raise StartError(f"AWS credentials cannot be loaded: {error}") from error

    def client(self, service: str) -> Any:
        try:
            return self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
        except BotoCoreError as error:
            raise StartError(f"no AWS client for {service}: {error}") from error


def code(error: Exception) -> str:
    """AWS's word for an error, or the name of what broke before AWS answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def resolve(reference: str, session: Session | None = None) -> str:
    """The value behind `ssm:/path` or `secretsmanager:name`; errors name the reference only."""
    session = session or Session()
    scheme, _, name = reference.partition(":")
    try:
        if scheme == "ssm":
            answer = session.client("ssm").get_parameter(Name=name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        answer = session.client("secretsmanager").get_secret_value(SecretId=name)
    except AwsError as error:
        raise StartError(f"`{reference}` cannot be resolved: {code(error)}") from None
    if "SecretString" not in answer:
        raise StartError(f"`{reference}` is binary; only text secrets can be used")
    return str(answer["SecretString"])
