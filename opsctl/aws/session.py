"""Open a boto3 session: where the credentials come from."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsctl.aws import parsing, programs
from opsctl.aws.faults import wants_mfa
from opsctl.errors import AwsError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.session import Session as BotocoreSession

    from opsctl.config.model import Aws


def open_session(aws: "Aws") -> "Session":
    import boto3.session
    import botocore.session

    session = botocore.session.Session(profile=aws.profile)
    _refuse_pipes(os.environ)
    # botocore knows only the second name; other SDKs, and our sandbox, know the first, too.
    variable = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
    session.session_var_map["region"] = variable
    _ask_for_mfa_on_terminals_only(session)
    _look_at_one_service_only(session)
    programs.bound(session)
    session.register_component("response_parser_factory", parsing.factory())
    if aws.assume_role:
        _assume(session, aws)
    return boto3.session.Session(botocore_session=session)


def _look_at_one_service_only(session: "BotocoreSession") -> None:
    """Do not let botocore open the folder of every AWS service before it loads one of them.

    It does so twice for a client, to know whether there is such a service: a tenth of the time that
    a client takes.
    """
    loader: Any = session.get_component("data_loader")

    def services(type_name: str) -> list[str]:
        paths = map(Path, loader.search_paths)
        return [folder for path in paths if path.is_dir() for folder in os.listdir(path)]

    loader.list_available_services = services


def _refuse_pipes(environ: Mapping[str, str]) -> None:
    """Raise AwsError for a token in a pipe, for which botocore would wait without end."""
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        path = Path(environ.get(name, ""))
        if path.is_fifo():
            raise AwsError(
                f"{name} names a pipe, and a token is read again and again: {path}",
                hint=f"write the token into a file, and name that in {name}",
            )


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
            raise wants_mfa()
        return str(ask(prompt))

    provider._prompter = answer
    provider.cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))
