"""Classify failures between us and AWS: does repeating help, and what to tell the user."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from opsctl.aws import iam
from opsctl.config.regions import REGIONS
from opsctl.errors import AwsError, OpsError, nearest

Fault = Literal["throttled", "unreachable", "nobody", "expired", "refused"]
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# botocore's own list, which it does not export: botocore/retries/standard.py. Without
# LimitExceededException: each of our services means a quota by it, which no waiting mends.
_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
    *("TooManyRequestsException", "ProvisionedThroughputExceededException"),
    *("TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded"),
    *("RequestThrottled", "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException"),
}
_CREDENTIALS = "check the credentials: aws sts get-caller-identity"
_RENEW = "renew the credentials, for instance: aws sso login"
_NETWORK = "check the network and AWS_ENDPOINT_URL, then run the same command again"
_PROFILE = "correct the profile in ~/.aws/config, or choose another"
_SETTINGS = "correct the variables AWS_…, or the profile in ~/.aws/config"
_PROXY = "check HTTPS_PROXY and NO_PROXY, then run the same command again"
_HINTS = {
    **dict.fromkeys(_EXPIRED, _RENEW),
    # EC2's one word for credentials that ended and for a clock that is wrong.
    "RequestExpired": "set the clock of this machine, or renew the credentials: aws sso login",
    "InvalidClientTokenId": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "TargetGroupNotFound": "somebody deleted it; to make it again: opsctl ecs up --revert-drift",
    **dict.fromkeys(_THROTTLED, "AWS throttles this account; try again in a minute"),
}
# Signature expired: 20261126T120000Z is now earlier than 20261126T121000Z (20261126T122500Z - …
# Signature not yet current: 20261126T123000Z is still later than … (20261126T121000Z + …
_SIGNED_AT = re.compile(r"Signature (?:expired|not yet current): (\w+)Z .*?\((\w+)Z [-+]")
# What urllib and we say of an address that is none.
_ADDRESS = re.compile(r"endpoint|URL|\bPort\b|IPv6|netloc|hostname", re.IGNORECASE)
# The Region in the host of an endpoint: https://sns.eu-west-1.amazonaws.com/
_REGION = re.compile(r"//[^/]*\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.")
_PASSWORD = re.compile(r"//[^/]*@")  # in an address
# botocore's parsers quote the whole of an answer that they cannot read.
_QUOTED = re.compile(r"^Unable to parse response .*\bb['\"](.*)['\"]$")
_LONG = 2000  # characters of a message; AWS's own are shorter
_FEW = 60  # characters of it that are shown
_CLOCK = "set the clock, for instance: sudo timedatectl set-ntp true"
# AWS's codes for a caller who lacks a permission.
DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"),
    *("NotAuthorized", "AuthorizationError"),
}


class NotAws(AwsError):
    """Something other than AWS answered: a proxy, a captive portal, another server on that port.

    `lacks` names what every answer of AWS to this call has and this one has not.
    """

    def __init__(self, endpoint: str, lacks: str = "") -> None:
        super().__init__(
            f"what answers at {endpoint} is not AWS (a proxy or a captive portal?){lacks}",
            hint=_NETWORK,
            cause="not-aws",
        )


class Lacking(AwsError, KeyError):
    """A part of an answer has no such key, which every answer of AWS has."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"what answers is not AWS, or was cut off: its answer has no `{key}`",
            hint=_NETWORK,
            cause="not-aws",
        )
        self.key = key

    def __str__(self) -> str:
        return self.message


class Unreadable(AwsError):
    """AWS answered, and what it says about one part of the system cannot be parsed."""

    def __init__(self, part: str, error: Exception) -> None:
        what = f"it lacks {error}" if isinstance(error, LookupError) else str(error)
        what = f"it lacks `{error.key}`" if isinstance(error, Lacking) else what
        super().__init__(
            f"what AWS says of the {part.replace('_', ' ')} cannot be read: {what}",
            hint="run the same command again; if it stays, show it to us: opsctl why --save FILE",
        )


@contextmanager
def understood(part: str) -> Iterator[None]:
    """Raise Unreadable when AWS's answer for a part lacks something or makes no sense."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if fault(error) is not None and not isinstance(error, Lacking):
            raise
        raise Unreadable(part, error) from error


def fault(error: BaseException) -> Fault | None:
    """Return why a call failed, for the retries; None for errors that have nothing to do with AWS.

    `nobody`: nothing listens at the endpoint. `unreachable`: any other lost connection or broken
    answer.
    """
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        if code(error) in _EXPIRED:
            return "expired"
        if code(error) in _THROTTLED or metadata.get("HTTPStatusCode") == 429:
            return "throttled"
        # An emulator answers 501 for what it does not have; repeating that call would not help.
        status = metadata.get("HTTPStatusCode", 0)
        return "unreachable" if status >= 500 and status != 501 else "refused"
    if isinstance(error, exceptions.EndpointConnectionError):
        return "nobody"
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, NotAws)):
        return "unreachable"
    if _broken(error):
        return "unreachable"
    return "refused" if isinstance(error, (exceptions.BotoCoreError, AwsError)) else None


def _broken(error: BaseException) -> bool:
    """Whether botocore's parsers could not read an answer, perhaps because it was cut off."""
    return isinstance(error, json.JSONDecodeError) or type(error).__name__ == "ResponseParserError"


def without_credentials(error: BaseException) -> bool:
    """Whether AWS was not called at all: there is nothing to sign with, at least just now."""
    from botocore import exceptions

    kinds = (
        *(exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.SSOError),
        *(exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError),
    )
    return isinstance(error, kinds)


def clock_is_wrong(error: BaseException) -> bool:
    """Whether AWS refused a signature for the time that is in it."""
    return bool(_clock(message(error)))


def may_pass(error: BaseException) -> bool:
    """For what looks for ever: somebody may yet log in, set the clock, mend the network."""
    refused = fault(error) in (None, "refused")
    return not refused or without_credentials(error) or clock_is_wrong(error)


def transient(error: BaseException) -> bool:
    """Return whether the same call may succeed in a moment: no answer, half an answer, too busy."""
    return fault(error) in ("throttled", "unreachable", "nobody")


def code(error: BaseException) -> str:
    """Return the API's error code (`ValidationError`, `AccessDenied`), or ''."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def name_service(error: Any, service: str, operation: str) -> None:
    """Store the service of a refused call in its exception, for the hint: botocore does not.

    A call with another name that botocore made meanwhile was for credentials.
    """
    if name := getattr(error, "operation_name", ""):
        inner = "sso" if name == "GetRoleCredentials" else "sts"
        error.service = service if name == operation else inner


def message(error: BaseException) -> str:
    response = getattr(error, "response", None) or {}
    text = str(response.get("Error", {}).get("Message", "") or error)
    return text if len(text) < _LONG else f"{text[:_LONG]}…"


def translate(error: BaseException) -> OpsError | None:
    """Return an error of AWS as one sentence with a hint; None for other errors."""
    from botocore import exceptions

    if isinstance(error, OpsError):
        return error
    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    if isinstance(error, exceptions.EndpointConnectionError):
        return _nobody(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        half = isinstance(error, exceptions.PartialCredentialsError)
        return AwsError(
            f"the AWS credentials are not whole: {error}"
            if half
            else "there are no AWS credentials",
            hint='set AWS_PROFILE, or try without an account: eval "$(opsctl sandbox env)"',
            cause="credentials-refused",
        )
    if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError)):
        return AwsError(
            "the SSO session has expired", hint="aws sso login", cause="credentials-expired"
        )
    if isinstance(error, exceptions.PaginationError):
        text = "what answers is not AWS: the pages of its list lead in a circle"
        return AwsError(text, hint=_NETWORK, cause="not-aws")
    if misconfigured := _misconfigured(error):
        return misconfigured
    if fault(error) == "unreachable":
        return _no_answer(error)
    line = " ".join(str(error).split())
    if isinstance(error, exceptions.ParamValidationError):
        return AwsError(f"AWS does not take this call: {line}", hint="opsctl config check")
    if isinstance(error, exceptions.BotoCoreError):
        return AwsError(f"the call of AWS failed: {line}", hint=_SETTINGS)
    return None


def _no_answer(error: BaseException) -> AwsError:
    from botocore import exceptions

    hint = _PROXY if isinstance(error, exceptions.ProxyConnectionError) else _NETWORK
    # What botocore cannot parse it quotes, on lines of its own.
    line = " ".join(str(error).split())
    answer = _answer(error, line)
    if answer is None:
        return AwsError(f"no answer from AWS: {line}", hint=hint, cause="network")
    page = answer.lower().startswith(("<html", "<!doctype"))
    words = f"{answer[:_FEW]}…" if len(answer) > _FEW else answer
    words = "a web page (a proxy or a captive portal?)" if page else words
    text = f"what answers is not AWS, or was cut off: {words or 'an empty answer'}"
    return AwsError(text, hint=hint, cause="network")


def _misconfigured(error: BaseException) -> AwsError | None:
    """Translate what botocore says of variables, files and profiles, before any call."""
    from botocore import exceptions

    if isinstance(error, exceptions.ProfileNotFound):
        return AwsError(str(error), hint="choose another with AWS_PROFILE or `aws.profile`")
    if isinstance(error, (exceptions.ConfigParseError, exceptions.ConfigNotFound)):
        return AwsError(str(error), hint="correct that file, or name another: AWS_CONFIG_FILE")
    if isinstance(error, exceptions.InvalidRegionError):
        return AwsError(str(error), hint="correct AWS_REGION, or `aws.region` in the config")
    if isinstance(error, exceptions.CredentialRetrievalError):
        return AwsError(f"the profile's credentials cannot be read: {error}", hint=_CREDENTIALS)
    if isinstance(error, exceptions.RefreshWithMFAUnsupportedError):
        return wants_mfa()
    if isinstance(error, exceptions.InvalidConfigError):
        return AwsError(f"the profile cannot be used: {error}", hint=_PROFILE)
    if isinstance(error, exceptions.MissingDependencyException):
        return AwsError(
            "a profile of `aws login` needs botocore's extra `crt`",
            hint="pipx inject opsctl-ecs 'botocore[crt]'",
        )
    return None


def unsendable(error: BaseException) -> AwsError | None:
    """Translate the refusal to send a header: its text would show the credentials in it."""
    if "Invalid header value" not in str(error):
        return None
    return AwsError(
        "the AWS credentials hold a line end or another character that cannot be sent",
        hint="set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN again",
        cause="credentials-refused",
    )


def wants_mfa() -> AwsError:
    return AwsError(
        "the profile's role wants an MFA code, and there is no terminal to ask on",
        hint="run it once on a terminal, and this one within the hour",
    )


def _answer(error: BaseException, line: str) -> str | None:
    """Return the answer that could not be parsed, on one line; None for other errors."""
    if isinstance(error, json.JSONDecodeError):
        return " ".join(error.doc.split())
    quoted = _QUOTED.search(line)
    return quoted[1] if quoted else None


def unreadable(error: OSError | ValueError) -> AwsError | None:
    """Translate errors that botocore does not wrap: files, programs, addresses.

    None for its own errors.
    """
    from botocore.exceptions import BotoCoreError

    if isinstance(error, BotoCoreError):  # some of them are also OSErrors
        return None
    if isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        text = f"the credentials cannot be read: {what}"
    elif isinstance(error, json.JSONDecodeError):
        text = "the profile's credential_process did not write JSON"
    else:
        text = _PASSWORD.sub("//…@", str(error))
        if _ADDRESS.search(text):
            return AwsError(text, hint="correct AWS_ENDPOINT_URL, or unset it")
        text = f"a setting of AWS cannot be read: {text}"
        return AwsError(text, hint=_SETTINGS)
    return AwsError(text, hint=_PROFILE)


def _nobody(endpoint: str) -> AwsError:
    region = _REGION.search(endpoint)
    if region is not None and region[1] not in REGIONS:
        near = nearest(region[1], REGIONS) or "us-east-1"
        return AwsError(
            f"nothing answers at {endpoint}, and no Region `{region[1]}` is known here",
            hint=f"correct AWS_REGION or `aws.region`: a Region such as {near}",
            cause="network",
        )
    local = "127.0.0.1" in endpoint or "localhost" in endpoint
    return AwsError(
        f"nothing answers at {endpoint}",
        # A restarted sandbox has another port; one that is not running says so.
        hint='eval "$(opsctl sandbox env)"' if local else "check the network and AWS_ENDPOINT_URL",
        cause="network",
    )


def _refusal(error: Any) -> AwsError:
    name, operation = code(error), error.operation_name
    if minutes := _clock(message(error)):
        way = "slow" if minutes > 0 else "fast"
        return AwsError(
            f"this machine's clock is {abs(minutes)} minutes {way}, so AWS refused {operation}",
            hint=_CLOCK,
            operation=operation,
            code=name,
        )
    hint = _HINTS.get(name)
    if name in DENIED:
        action = iam.lacking(message(error), getattr(error, "service", ""), operation)
        hint = f"allow this caller `{action}`"
    # An error of AWS's own server is no refusal, and passes.
    failed = fault(error) == "unreachable"
    return AwsError(
        f"AWS {'failed in' if failed else 'refused'} {operation}: {message(error)} ({name})",
        hint=_NETWORK if failed else hint,
        operation=operation,
        code=name,
    )


def _clock(text: str) -> int:
    """Return the minutes by which AWS says this machine's clock is behind; 0 when unknown."""
    match = _SIGNED_AT.search(text)
    if match is None:
        return 0
    signed, now = (datetime.strptime(time, "%Y%m%dT%H%M%S") for time in match.groups())
    return round((now - signed).total_seconds() / 60)
