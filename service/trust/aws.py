"""The service's one door to AWS: clients for the log stream, and values of secret references.

It is botocore, which is boto3 without what we would not use, and imported only by those who need
AWS, because it still costs 15 MB.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader

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


class _Models(JSONFileLoader):
    """botocore's descriptions of AWS, read by orjson: 5 MB less for a client than by botocore."""

    _FORMATS: tuple[tuple[str, Callable[[Path], bytes]], ...] = (
        (".json", Path.read_bytes),
        (".json.gz", lambda path: gzip.decompress(path.read_bytes())),
    )

    def load_file(self, file_path: str) -> Any:
        for ending, read in self._FORMATS:
            path = Path(file_path + ending)
            if path.is_file():
                return orjson.loads(read(path))
        return None


class Session:
    """A botocore session, made once; AWS's own variables (profile, region, endpoint) apply."""

    def __init__(self) -> None:
        self._session = botocore.session.get_session()
        self._session.get_component("data_loader").file_loader = _Models()
        # botocore reads the first only, other SDKs and ECS the second.
        names = ["AWS_DEFAULT_REGION", "AWS_REGION"]
        self._session.session_var_map["region"] = ("region", names, None, None)

    def has_credentials(self) -> bool:
        try:
            return self._session.get_credentials() is not None
        except BotoCoreError as error:
            raise StartError(f"AWS credentials cannot be loaded: {error}") from error

    def client(self, service: str, *, attempts: int = 3) -> Any:
        """Retries are botocore's; `attempts=1` is for callers that retry themselves."""
        config = Config(
            connect_timeout=5,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )
        try:
            return self._session.create_client(service, config=config)
        except BotoCoreError as error:
            raise StartError(f"no AWS client for {service}: {error}") from error


def code(error: Exception) -> str:
    """AWS's word for an error, or the name of what broke before AWS answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def is_passing(error: Exception) -> bool:
    """Whether another attempt may succeed: AWS is away, busy, or our credentials just expired."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or code(error) in _PASSING


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
