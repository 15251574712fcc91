"""What went wrong between us and AWS: whether repeating the call helps, and one sentence for it."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from opsctl.errors import AwsError, OpsError

Fault = Literal["throttled", "unreachable", "nobody", "expired", "refused"]
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# botocore's own list, which it does not export: botocore/retries/standard.py.
_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
    *("TooManyRequestsException", "ProvisionedThroughputExceededException"),
    *("TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded"),
    *("LimitExceededException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete"),
    "EC2ThrottledException",
}
_CREDENTIALS = "check the credentials: aws sts get-caller-identity"
_RENEW = "renew the credentials, for instance: aws sso login"
_NETWORK = "check the network and AWS_ENDPOINT_URL, then run the same command again"
_HINTS = {
    **dict.fromkeys(_EXPIRED, _RENEW),
    "InvalidClientTokenId": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "Throttling": "AWS throttles this account; try again in a minute",
    "ThrottlingException": "AWS throttles this account; try again in a minute",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class NotAws(AwsError):
    """What answered is not AWS: a proxy, a captive portal, another server on that port."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"what answers at {endpoint} is not AWS (a proxy or a captive portal?)",
            hint=_NETWORK,
            cause="not-aws",
        )


def fault(error: BaseException) -> Fault | None:
    """Why a call failed, for what repeats it; None for what has nothing to do with AWS.

    `nobody` listens at the endpoint; `unreachable` is any other broken way or broken answer.
    """
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        if code(error) in _EXPIRED:
            return "expired"
        if code(error) in _THROTTLED or metadata.get("HTTPStatusCode") == 429:
            return "throttled"
        return "unreachable" if metadata.get("HTTPStatusCode", 0) >= 500 else "refused"
    if isinstance(error, exceptions.EndpointConnectionError):
        return "nobody"
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, NotAws)):
        return "unreachable"
    # What a cut body raises in botocore's parsers.
    if isinstance(error, json.JSONDecodeError) or type(error).__name__ == "ResponseParserError":
        return "unreachable"
    return "refused" if isinstance(error, (exceptions.BotoCoreError, AwsError)) else None


def transient(error: BaseException) -> bool:
    """Whether the same call may well succeed in a moment: no answer, half an answer, too busy."""
    return fault(error) in ("throttled", "unreachable", "nobody")


def code(error: BaseException) -> str:
    """The API's error code (`ValidationError`, `AccessDenied`), or '' for anything else."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def message(error: BaseException) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "") or error)


def translate(error: BaseException) -> OpsError | None:
    """Any error of AWS as one sentence with the next command; None for anything else."""
    from botocore import exceptions

    if isinstance(error, OpsError):
        return error
    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    if isinstance(error, exceptions.EndpointConnectionError):
        return _nobody(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return AwsError(
            "there are no AWS credentials",
            hint='set AWS_PROFILE, or try without an account: eval "$(opsctl sandbox env)"',
            cause="credentials-refused",
        )
    if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError)):
        return AwsError(
            "the SSO session has expired", hint="aws sso login", cause="credentials-expired"
        )
    if isinstance(error, exceptions.ProfileNotFound):
        return AwsError(str(error), hint="aws configure list-profiles")
    if isinstance(error, exceptions.CredentialRetrievalError):
        return AwsError(f"the profile's credentials cannot be read: {error}", hint=_CREDENTIALS)
    if fault(error) == "unreachable":
        return AwsError(f"no answer from AWS: {error}", hint=_NETWORK, cause="network")
    if isinstance(error, exceptions.BotoCoreError):
        return AwsError(f"the call of AWS failed: {error}", hint=_CREDENTIALS)
    return None


def _nobody(endpoint: str) -> AwsError:
    local = "127.0.0.1" in endpoint or "localhost" in endpoint
    return AwsError(
        f"nothing answers at {endpoint}",
        hint='opsctl sandbox up; eval "$(opsctl sandbox env)"'
        if local
        else "check the network and AWS_ENDPOINT_URL",
        cause="network",
    )


def _refusal(error: Any) -> AwsError:
    name, operation = code(error), error.operation_name
    hint = f"allow this caller `{operation}`" if name in _DENIED else _HINTS.get(name)
    return AwsError(
        f"AWS refused {operation}: {message(error)} ({name})",
        hint=hint,
        operation=operation,
        code=name,
    )
