"""A boto3 session and its clients, created when first used.

Every call goes through `Patience`, is refused when it would write into an account that the config
does not name, and is reported by name to `debug`, if given.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from opsctl.aws.answers import checked, refuse_half
from opsctl.aws.caller import Caller
from opsctl.aws.failed_calls import READS, FailedCalls
from opsctl.aws.faults import fault, name_service, translate, unreadable
from opsctl.aws.patience import Patience
from opsctl.errors import AwsError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.session import Session as BotocoreSession
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
    `failed` counts failures.

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
        self._session = session
        self._account = account
        self._role = role
        self._patience = patience or Patience()
        self._read_timeout = read_timeout
        self._debug = debug
        self._checked = account is None
        self._who = ""
        self.failed = FailedCalls()
        # What a command could not clean up, in words.
        self.left: list[str] = []
        # Neither creating a client nor cached_property is thread-safe.
        self._making = threading.RLock()
        self._made: dict[tuple[str, bool], Any] = {}

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
        self._who = self._who or self.sts.get_caller_identity()["Arn"]
        return self._who

    def renew(self) -> None:
        """Read the credentials again: somebody may have renewed them."""
        with self._making:
            self._session = self._open_session()
            self._made.clear()

    def credentials_end(self) -> datetime | None:
        """Return when the credentials end if botocore cannot renew them, else None."""
        credentials: Any = self._session.get_credentials()
        method = getattr(credentials, "method", "")
        end = getattr(credentials, "_expiry_time", None)
        return end if method in ("env", "custom-process") and isinstance(end, datetime) else None

    def call(self, service: str, operation: str, call: Callable[[], Any], *, patient: bool) -> Any:
        """Make one call as described above. Every client does this for every operation."""
        if self._debug is not None:
            # The operation's name only: parameters may hold secrets.
            self._debug(f"{service} {operation}")
        if not operation.startswith(READS):
            self.check_account()
        attempt = partial(self._attempt, service, operation, call)
        return self._patience(attempt) if patient else attempt()

    def _attempt(self, service: str, operation: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            self.failed.add(service, operation, error)
            name_service(error, service, operation)
            raise

    def client(self, service: str, *, patient: bool = True) -> Any:
        with self._making:
            if (service, patient) not in self._made:
                self._made[service, patient] = self._make(service, patient)
            return self._made[service, patient]

    def _make(self, service: str, patient: bool) -> Any:
        from botocore.config import Config

        session = self._session
        calling = partial(self.call, service, patient=patient)
        renewed = partial(self._renewed, service) if patient else None

        def add(base_classes: list[type], **_: object) -> None:
            base_classes.insert(0, _calls_through(calling, renewed))

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

    def _renewed(self, service: str) -> Any:
        """Return the same client with the present credentials."""
        self.renew()
        return self.client(service)

    def check_account(self) -> None:
        """Raise AwsError for credentials of another account than the config's.

        Calls that change something are checked anyway; call this so that a plan does not mislead.
        """
        if self._checked:
            return
        account = self.sts.get_caller_identity()["Account"]
        if account != self._account:
            raise AwsError(
                f"these credentials belong to account {account}, "
                f"but `aws.account` in the config is {self._account}",
                hint="choose the right credentials, for instance with AWS_PROFILE",
                cause="wrong-account",
            )
        self._checked = True


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

    class CallsThrough:
        def _make_api_call(self, operation: str, parameters: Any) -> Any:
            def call() -> Any:
                return checked(make, self, operation, parameters)

            try:
                return calling(operation, call)
            except Exception as error:
                if renewed is None or fault(error) != "expired":
                    raise
            # Once only: credentials that are still the old ones are refused again.
            return checked(make, renewed(), operation, parameters)

    return CallsThrough


def _give_role(cloudformation: Any, role: str) -> None:
    """Pass this role to CloudFormation in every operation that accepts one."""

    def add(params: dict[str, Any], model: Any, **_: object) -> None:
        if "RoleARN" in model.input_shape.members:
            params["RoleARN"] = role

    cloudformation.meta.events.register("before-parameter-build.cloudformation.*", add)


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
        session = _open(aws)
        region = aws.region or session.region_name
    except BotoCoreError as error:
        refusal = translate(error)
        assert refusal is not None  # every BotoCoreError has a translation
        raise refusal from error
    if not region:  # an empty variable names none either
        raise AwsError(
            "no AWS Region is set",
            hint="set `aws.region` in the config or AWS_REGION; without an account: "
            'eval "$(opsctl sandbox env)"',
        )
    return Clients(
        session,
        partial(_open, aws),
        region,
        account=aws.account,
        caller=caller,
        role=aws.cloudformation_role,
        patience=patience,
        read_timeout=read_timeout,
        debug=debug,
    )


def _open(aws: "Aws") -> "Session":
    import boto3.session
    import botocore.session

    session = botocore.session.Session(profile=aws.profile)
    # botocore knows only the second name; other SDKs, and our sandbox, know the first, too.
    variable = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
    session.session_var_map["region"] = variable
    _ask_for_mfa_on_terminals_only(session)
    _parse_log_events_fast(session)
    if aws.assume_role:
        _assume(session, aws)
    return boto3.session.Session(botocore_session=session)


def _assume(session: "BotocoreSession", aws: "Aws") -> None:
    """Use the role's credentials for every call; they are renewed before they expire."""
    from botocore import credentials

    source: Any = session.get_component("credential_provider")

    class Role(credentials.CredentialProvider):
        METHOD = "assume-role"

        def load(self) -> Any:
            own = source.load_credentials()
            if own is None:
                return None
            given = {"RoleSessionName": "opsctl"}
            if aws.external_id:
                given["ExternalId"] = aws.external_id
            fetcher = credentials.AssumeRoleCredentialFetcher(
                partial(session.create_client, region_name=aws.region),
                own,
                str(aws.assume_role),
                extra_args=given,
            )
            return credentials.DeferredRefreshableCredentials(
                fetcher.fetch_credentials, self.METHOD
            )

    resolver = credentials.CredentialResolver([Role()])
    session.register_component("credential_provider", resolver)


def _ask_for_mfa_on_terminals_only(session: "BotocoreSession") -> None:
    """Also share the result with the aws CLI, so that one MFA code lasts for an hour."""
    from botocore.exceptions import BotoCoreError
    from botocore.utils import JSONFileCache

    try:
        provider = session.get_component("credential_provider").get_provider("assume-role")
    except BotoCoreError:
        return  # the profile does not exist; the first call says so
    ask = provider._prompter

    def answer(prompt: str) -> str:
        if not sys.stdin.isatty():
            raise AwsError(
                "the profile's role wants an MFA code, and there is no terminal to ask on",
                hint="run it once on a terminal, and this one within the hour",
            )
        return str(ask(prompt))

    provider._prompter = answer
    provider.cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))


def _parse_log_events_fast(session: "BotocoreSession") -> None:
    """Return FilterLogEvents answers as json.loads parses them.

    Its events are strings and plain numbers, so botocore's parsing of shapes changes nothing, and
    takes 85 % of the time of reading a page.
    """
    from botocore import parsers

    class LogEventsParser(parsers.JSONParser):
        def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
            if shape is not None and shape.name == "FilterLogEventsResponse":
                answer = json.loads(raw_body)
                if isinstance(answer, dict):
                    return answer
            return super()._handle_json_body(raw_body, shape)  # type: ignore[misc]  # untyped

    class Factory(parsers.ResponseParserFactory):
        def create_parser(self, protocol_name: str) -> Any:
            if protocol_name == "json":
                return LogEventsParser(**self._defaults)  # type: ignore[attr-defined]  # untyped
            return super().create_parser(protocol_name)

    session.register_component("response_parser_factory", Factory())
