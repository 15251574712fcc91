"""The door to AWS: the only module of the tool that imports botocore.

The clients are boto3's; its Session is left out, because importing it brings s3transfer along,
a tenth of a short command's time and of no use here. Sessions, retries and credentials are
botocore's own (standard retry mode, one layer), so every `AWS_*` variable, profile, SSO and
assumed role works as it does elsewhere.
"""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from opsctl.errors import AwsError, OpsError

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_elasticache.client import ElastiCacheClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_sts.client import STSClient

    from opsctl.config.model import Aws

T = TypeVar("T")
_REFUSED = "check the credentials: aws sts get-caller-identity"


class Clients:
    """One session; a client is made when first used. Not a façade: they are botocore's own."""

    def __init__(
        self, session: "Session", region: str, *, debug: Callable[[str], None] | None = None
    ) -> None:
        self._session = session
        self.region = region
        self._debug = debug

    @cached_property
    def autoscaling(self) -> "AutoScalingClient":
        return cast("AutoScalingClient", self._client("autoscaling"))

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        return cast("CloudFormationClient", self._client("cloudformation"))

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def ec2(self) -> "EC2Client":
        return cast("EC2Client", self._client("ec2"))

    @cached_property
    def ecr(self) -> "ECRClient":
        return cast("ECRClient", self._client("ecr"))

    @cached_property
    def ecs(self) -> "ECSClient":
        return cast("ECSClient", self._client("ecs"))

    @cached_property
    def elasticache(self) -> "ElastiCacheClient":
        return cast("ElastiCacheClient", self._client("elasticache"))

    @cached_property
    def elbv2(self) -> "ElasticLoadBalancingv2Client":
        return cast("ElasticLoadBalancingv2Client", self._client("elbv2"))

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return cast("CloudWatchLogsClient", self._client("logs"))

    @cached_property
    def logs_once(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs without botocore's retries: the follower has its own, one layer only."""
        return cast("CloudWatchLogsClient", self._client("logs", attempts=1))

    @cached_property
    def s3(self) -> "S3Client":
        return cast("S3Client", self._client("s3"))

    @cached_property
    def secretsmanager(self) -> "SecretsManagerClient":
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    @cached_property
    def ssm(self) -> "SSMClient":
        return cast("SSMClient", self._client("ssm"))

    @cached_property
    def sts(self) -> "STSClient":
        return cast("STSClient", self._client("sts"))

    def _client(self, service: str, *, attempts: int = 4) -> Any:
        from botocore.config import Config

        client = self._session.create_client(
            service,
            region_name=self.region,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                connect_timeout=5,
                read_timeout=60,
            ),
        )
        if self._debug is not None:
            debug = self._debug
            # The operation's name only: parameters may hold what must not be printed.
            client.meta.events.register(
                "before-call.*.*", lambda model, **_: debug(f"{service} {model.name}")
            )
        return client


def connect(aws: "Aws", *, debug: Callable[[str], None] | None = None) -> Clients:
    """Open a session; no network yet. Raises AwsError when profile or Region are missing."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        session = Session(profile=aws.profile)
        # botocore knows the second name only; every other SDK, and our sandbox, the first too.
        variable = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
        session.session_var_map["region"] = variable
        region = aws.region or session.get_config_variable("region")
        _parse_log_events_fast(session)
    except BotoCoreError as error:
        raise AwsError(str(error), hint="aws configure list-profiles") from error
    if region is None:
        raise AwsError(
            "no AWS Region is set",
            hint="set `aws.region` in the config or AWS_REGION; without an account: "
            'eval "$(opsctl sandbox env)"',
        )
    return Clients(session, region, debug=debug)


def _parse_log_events_fast(session: "Session") -> None:
    """Leave FilterLogEvents answers as json.loads gives them.

    Its events are strings and plain numbers, so walking the shapes changes nothing, and it is
    85 % of the time of reading a page.
    """
    from botocore import parsers

    class LogEventsParser(parsers.JSONParser):
        def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
            if shape is not None and shape.name == "FilterLogEventsResponse":
                return json.loads(raw_body)
            return super()._handle_json_body(raw_body, shape)  # type: ignore[misc]  # untyped

    class Factory(parsers.ResponseParserFactory):
        def create_parser(self, protocol_name: str) -> Any:
            if protocol_name == "json":
                return LogEventsParser(**self._defaults)  # type: ignore[attr-defined]  # untyped
            return super().create_parser(protocol_name)

    session.register_component("response_parser_factory", Factory())


Fault = Literal["throttled", "unreachable", "nobody", "expired", "refused"]
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"}


def fault(error: Exception) -> Fault | None:
    """Why a call failed, for what retries by itself; None for what is not AWS's.

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
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return "unreachable"
    # What a cut or foreign body raises in the parsers.
    if isinstance(error, json.JSONDecodeError) or type(error).__name__ == "ResponseParserError":
        return "unreachable"
    return "refused" if isinstance(error, exceptions.BotoCoreError) else None


def code(error: Exception) -> str:
    """The API's error code (`ValidationError`, `AccessDenied`), or '' for anything else."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def message(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "") or error)


def transient(error: BaseException) -> bool:
    """Whether the same call may well succeed in a moment: no answer, half an answer, too busy."""
    return isinstance(error, Exception) and fault(error) in ("throttled", "unreachable", "nobody")


def optional(call: Callable[[], T], default: T) -> T:
    """What is good to know beside a result: AWS's fault here must not be told in its place."""
    try:
        return call()
    except Exception as error:
        if fault(error) is None:
            raise
        return default


def patiently(call: Callable[[], T], *, sleep: Callable[[float], None], seconds: float = 180) -> T:
    """Outlast an outage while following something that goes on without us.

    Only for reads: botocore's own retries have already failed once when this begins to wait.
    """
    try:
        return call()
    except Exception as error:
        if not transient(error):
            raise
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

    retrying = Retrying(
        retry=retry_if_exception(transient),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        stop=stop_after_delay(seconds),
        sleep=sleep,
        reraise=True,
    )
    return retrying(call)


def translate(error: Exception) -> OpsError | None:
    """Any botocore error as one sentence with the next command; None for what is not AWS's."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    if isinstance(error, exceptions.EndpointConnectionError):
        endpoint = str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
        local = "127.0.0.1" in endpoint or "localhost" in endpoint
        return AwsError(
            f"nothing answers at {endpoint}",
            hint="opsctl sandbox up" if local else "check the network and AWS_ENDPOINT_URL",
        )
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return AwsError(
            "there are no AWS credentials",
            hint='set AWS_PROFILE, or try without an account: eval "$(opsctl sandbox env)"',
        )
    if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError)):
        return AwsError("the SSO session has expired", hint="aws sso login")
    if isinstance(error, exceptions.ProfileNotFound):
        return AwsError(str(error), hint="aws configure list-profiles")
    # These two answered nothing about the credentials: the line between us broke, or was slow.
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return AwsError(
            f"AWS could not be asked: {error}",
            hint="check the network and AWS_ENDPOINT_URL, then the same command again",
        )
    if isinstance(error, exceptions.BotoCoreError):
        return AwsError(f"AWS could not be asked: {error}", hint=_REFUSED)
    return None


def _refusal(error: Any) -> AwsError:
    name, operation = code(error), error.operation_name
    hints = {
        "ExpiredToken": "renew the credentials, for instance: aws sso login",
        "ExpiredTokenException": "renew the credentials, for instance: aws sso login",
        "RequestExpired": "renew the credentials, for instance: aws sso login",
        "InvalidClientTokenId": _REFUSED,
        "UnrecognizedClientException": _REFUSED,
        "SignatureDoesNotMatch": _REFUSED,
        "AccessDenied": f"allow this caller `{operation}`",
        "AccessDeniedException": f"allow this caller `{operation}`",
        "UnauthorizedOperation": f"allow this caller `{operation}`",
        "ThrottlingException": "AWS throttles this account; try again in a minute",
        "Throttling": "AWS throttles this account; try again in a minute",
    }
    return AwsError(
        f"AWS refused {operation}: {message(error)} ({name})",
        hint=hints.get(name),
        operation=operation,
        code=name,
    )
