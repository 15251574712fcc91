"""A boto3 session and its clients, created when first used.

Every call goes through `Patience`, is refused when it would write into an account that the config
does not name, and is reported by name to `debug`, if given.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from opsctl.aws.answers import checked, refuse_half
from opsctl.aws.bounds import Pages, bound
from opsctl.aws.caller import Caller
from opsctl.aws.clock import Clock
from opsctl.aws.credentials import Credentials
from opsctl.aws.failed_calls import READS, FailedCalls
from opsctl.aws.faults import NotAws, fault, name_service, translate, unreadable
from opsctl.aws.patience import Patience
from opsctl.aws.session import open_session
from opsctl.errors import AwsError

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_acm.client import ACMClient
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_elasticache.client import ElastiCacheClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_service_quotas.client import ServiceQuotasClient
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_sts.client import STSClient

    from opsctl.config.model import Aws

Client = TypeVar("Client")
READ_TIMEOUT = 60.0  # seconds, as botocore has it


class _Service(Generic[Client]):
    """The client of one AWS service, created on first access."""

    def __init__(self, name: str, *, patient: bool = True) -> None:
        self._name, self._patient = name, patient

    def __get__(self, clients: "Clients", owner: type) -> Client:
        return cast(Client, clients.client(self._name, patient=self._patient))


class Clients:
    """The clients. `patience` applies to every call but those of `cloudwatch_once` and `logs_once`;
    `failed` counts failures; `clock` is AWS's time.

    `open_session` opens a new session when credentials have expired.
    """

    acm: "_Service[ACMClient]" = _Service("acm")
    autoscaling: "_Service[AutoScalingClient]" = _Service("autoscaling")
    cloudformation: "_Service[CloudFormationClient]" = _Service("cloudformation")
    cloudwatch: "_Service[CloudWatchClient]" = _Service("cloudwatch")
    ec2: "_Service[EC2Client]" = _Service("ec2")
    ecr: "_Service[ECRClient]" = _Service("ecr")
    ecs: "_Service[ECSClient]" = _Service("ecs")
    elasticache: "_Service[ElastiCacheClient]" = _Service("elasticache")
    elbv2: "_Service[ElasticLoadBalancingv2Client]" = _Service("elbv2")
    iam: "_Service[IAMClient]" = _Service("iam")
    logs: "_Service[CloudWatchLogsClient]" = _Service("logs")
    # Without retries: its answers are optional, and nobody waits for them.
    cloudwatch_once: "_Service[CloudWatchClient]" = _Service("cloudwatch", patient=False)
    # Without retries, because the log follower has its own.
    logs_once: "_Service[CloudWatchLogsClient]" = _Service("logs", patient=False)
    s3: "_Service[S3Client]" = _Service("s3")
    secretsmanager: "_Service[SecretsManagerClient]" = _Service("secretsmanager")
    service_quotas: "_Service[ServiceQuotasClient]" = _Service("service-quotas")
    sns: "_Service[Any]" = _Service("sns")
    ssm: "_Service[SSMClient]" = _Service("ssm")
    sts: "_Service[STSClient]" = _Service("sts")

    def __init__(
        self,
        session: "Session",
        open_session: "Callable[[], Session]",
        region: str,
        *,
        account: str | None = None,
        caller: Caller | None = None,
        role: str | None = None,
        patience: Patience | None = None,
        read_timeout: float = READ_TIMEOUT,
        debug: Callable[[str], None] | None = None,
    ) -> None:
        self.region = region
        self.caller = caller or Caller()
        self._open_session = open_session
        self._credentials = Credentials(session, self._make)
        self._account = account
        self._role = role
        self._patience = patience or Patience()
        self._read_timeout = read_timeout
        self._debug = debug
        self.failed = FailedCalls()
        self.clock = Clock()
        # What a command could not clean up, in words.
        self.left: list[str] = []
        self._renewing = threading.Lock()

    @contextmanager
    def briefly(self) -> Iterator[None]:
        """Do not wait for AWS inside this block. For clean-up on the way out."""
        patience, self._patience = self._patience, Patience(0)
        try:
            yield
        finally:
            self._patience = patience

    def who(self) -> str:
        """Return the caller's ARN."""
        return str(self._owned().owner()["Arn"])

    def check_account(self) -> None:
        """Raise AwsError for credentials of another account than the config's.

        Calls that change something are checked anyway; call this so that a plan does not mislead.
        """
        if self._account is not None:
            self._owned().require(self._account)

    def _owned(self) -> Credentials:
        """Return the present credentials, whose owner is known."""
        credentials = self._credentials
        try:
            credentials.owner()
        except Exception as error:
            if fault(error) != "expired":
                raise
            credentials = self._renewed(credentials)
            credentials.owner()
        return credentials

    def renew(self) -> None:
        """Read the credentials again: somebody may have renewed them."""
        self._renewed(self._credentials)

    def _renewed(self, worn: Credentials) -> Credentials:
        """Return credentials other than `worn`: another thread may have read them already."""
        with self._renewing:
            if self._credentials is worn:
                self._credentials = Credentials(self._open_session(), self._make)
            return self._credentials

    def credentials_end(self) -> datetime | None:
        """Return when the credentials end if botocore cannot renew them, else None."""
        credentials: Any = self._credentials.session.get_credentials()
        method = getattr(credentials, "method", "")
        end = getattr(credentials, "_expiry_time", None)
        return end if method in ("env", "custom-process") and isinstance(end, datetime) else None

    def _call(
        self,
        credentials: Credentials,
        service: str,
        patient: bool,
        operation: str,
        call: Callable[[], Any],
    ) -> Any:
        """Make one call as described above. Every client does this for every operation."""
        if self._debug is not None:
            # The operation's name only: parameters may hold secrets.
            self._debug(f"{service} {operation}")
        if not operation.startswith(READS):
            credentials.require(self._account)
        attempt = partial(self._attempt, service, operation, call)
        return self._patience(attempt) if patient else attempt()

    def _attempt(self, service: str, operation: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            self.failed.add(service, operation, error)
            name_service(error, service, operation)
            raise

    def _learn(self, http_response: Any, **_: object) -> None:
        self.clock.learn(http_response.headers.get("date", ""))

    def client(self, service: str, *, patient: bool = True) -> Any:
        return self._credentials.client(service, patient=patient)

    def _make(self, credentials: Credentials, service: str, patient: bool, renews: bool) -> Any:
        from botocore.config import Config

        session = credentials.session
        calling = partial(self._call, credentials, service, patient)

        def renewed() -> Any:
            return self._renewed(credentials).client(service)

        def add(base_classes: list[type], **_: object) -> None:
            base_classes.insert(0, _calls_through(calling, renewed if patient and renews else None))

        # Source: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
        session.events.register(f"creating-client-class.{service}", add, unique_id="opsctl")
        try:
            make: Any = session.client  # the stubs accept literal names only
            client = make(
                service,
                region_name=self.region,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 1},
                    connect_timeout=5,
                    read_timeout=self._read_timeout,
                ),
            )
            _require_usable(client.meta.endpoint_url)
            bound(client, self._read_timeout)
            client.meta.events.register(f"after-call.{service}", self._learn)
            client.meta.events.register(f"after-call.{service}", refuse_half)
            if service == "cloudformation" and self._role:
                _give_role(client, self._role)
            if ".amazonaws." not in client.meta.endpoint_url:
                # Live Tail has its own host, `stream-…`, which only AWS's endpoints have.
                client.meta.config.inject_host_prefix = False
            return client
        except (OSError, ValueError) as error:
            raise unreadable(error) or error from error
        finally:
            session.events.unregister(f"creating-client-class.{service}", unique_id="opsctl")


def _require_usable(endpoint: str) -> None:
    """Raise ValueError for an address at which botocore would stumble in the middle of a call."""
    parts = urlsplit(endpoint)
    # Reading a port that is none raises ValueError by itself.
    if parts.scheme not in ("http", "https") or parts.port == 0:
        raise ValueError(f"Invalid endpoint: {endpoint}")
    if parts.username is not None:
        raise ValueError(f"Invalid endpoint with a password, which no client sends: {endpoint}")


def _calls_through(
    calling: Callable[[str, Callable[[], Any]], Any], renewed: Callable[[], Any] | None
) -> type:
    """Return a base class for a client: paginators, waiters and plain calls all use
    `_make_api_call`.

    `renewed` returns the same client with new credentials; None if the caller handles that itself.
    """
    from botocore.client import BaseClient

    make: Any = BaseClient._make_api_call  # type: ignore[attr-defined]  # not in the stubs
    pages = Pages()

    class CallsThrough:
        meta: Any

        def _make_api_call(self, operation: str, parameters: Any) -> Any:
            if wrong := pages.endless(operation, parameters):
                raise NotAws(self.meta.endpoint_url, wrong)
            try:
                return self._call_once(operation, parameters)
            except Exception as error:
                if renewed is None or fault(error) != "expired":
                    raise
            # Once only: credentials that are still the old ones are refused again.
            return renewed()._call_once(operation, parameters)

        def _call_once(self, operation: str, parameters: Any) -> Any:
            return calling(operation, partial(checked, make, self, operation, parameters))

    return CallsThrough


def _give_role(cloudformation: Any, role: str) -> None:
    """Pass this role to CloudFormation in every operation that accepts one."""

    def add(params: dict[str, Any], model: Any, **_: object) -> None:
        if "RoleARN" in model.input_shape.members:
            params["RoleARN"] = role

    cloudformation.meta.events.register("before-parameter-build.cloudformation.*", add)


def tidy(clients: Clients, call: Callable[[], object]) -> bool:
    """Make a call that cleans up on the way out, or that the next one makes up for.

    It neither waits for AWS nor raises its errors, which would hide the first one. Returns whether
    it succeeded.
    """
    try:
        with clients.briefly():
            call()
    except Exception as error:
        if fault(error) is None:
            raise
        return False
    return True


def connect(
    aws: "Aws",
    *,
    caller: Caller | None = None,
    patience: Patience | None = None,
    read_timeout: float = READ_TIMEOUT,
    debug: Callable[[str], None] | None = None,
) -> Clients:
    """Open a session without network access.

    Raises AwsError if the profile or Region is missing.
    """
    from botocore.exceptions import BotoCoreError

    try:
        session = open_session(aws)
        region = aws.region or session.region_name
    except BotoCoreError as error:
        refusal = translate(error)
        assert refusal is not None  # every BotoCoreError has a translation
        raise refusal from error
    except (OSError, ValueError) as error:
        raise unreadable(error) or error from error
    if not region:  # an empty variable names none either
        raise AwsError(
            "no AWS Region is set",
            hint="set `aws.region` in the config or AWS_REGION; without an account: "
            'eval "$(opsctl sandbox env)"',
        )
    return Clients(
        session,
        partial(open_session, aws),
        region,
        account=aws.account,
        caller=caller,
        role=aws.cloudformation_role,
        patience=patience,
        read_timeout=read_timeout,
        debug=debug,
    )
