"""A real server on loopback that answers as AWS does, as a proxy does, or not at all."""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import UnknownServiceError

from opsctl import aws
from opsctl.aws.faults import NotAws
from opsctl.config.model import Aws
from opsctl.errors import AwsError, OpsError

ACCOUNT = "123456789012"
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


ASSUMED = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>"
    "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    "</AssumeRoleResponse>"
)
DENIED = (
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error>"
    "</ErrorResponse>"
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"


class Server(BaseHTTPRequestHandler):
    """`script` holds an answer for each call in turn, the last one for ever; so do `accounts` for
    GetCallerIdentity.
    """

    accounts: list[str] = []
    script: list[tuple[int, str, str]] = []
    seen: list[str] = []
    bodies: list[str] = []
    keys: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        operation = self.headers.get("X-Amz-Target", body).rpartition(".")[2]
        self.seen.append(operation)
        self.bodies.append(body)
        self.keys.append(
            self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        )
        if "Action=AssumeRole" in body:
            status = 403 if "forbidden" in body else 200
            self._answer(status, "text/xml", DENIED if status == 403 else ASSUMED)
        elif "GetCallerIdentity" in body:
            account = self.accounts.pop(0) if len(self.accounts) > 1 else self.accounts[0]
            self._answer(200, "text/xml", IDENTITY.format(account))
        else:
            self._answer(*(self.script.pop(0) if len(self.script) > 1 else self.script[0]))

    def _answer(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


JSON = "application/x-amz-json-1.1"
GOOD = (200, JSON, json.dumps({"clusterArns": ["a"]}))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as listening:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        Server.script, Server.seen, Server.keys = [GOOD], [], []
        Server.bodies, Server.accounts = [], [ACCOUNT]
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield Server
        listening.shutdown()
        thread.join()


def connect(**values: str) -> aws.Clients:
    return aws.connect(Aws.model_validate(values), patience=aws.Patience(sleep=lambda _: None))


def test_a_broken_answer_is_asked_for_again(server: type[Server]) -> None:
    server.script = [(500, JSON, "{}"), (400, JSON, '{"__type": "ThrottlingException"}'), GOOD]
    assert connect().ecs.list_clusters()["clusterArns"] == ["a"]
    assert len(server.seen) == 3


def test_half_an_answer_is_asked_for_again_and_never_taken_for_an_empty_one(
    server: type[Server],
) -> None:
    server.script = [(200, JSON, '{"clusterArns": ["a'), GOOD]
    assert connect().ecs.list_clusters()["clusterArns"] == ["a"]
    assert len(server.seen) == 2


def test_paginators_are_as_patient_as_plain_calls(server: type[Server]) -> None:
    server.script = [(503, JSON, "{}"), GOOD]
    pages = connect().ecs.get_paginator("list_clusters").paginate()
    assert [page["clusterArns"] for page in pages] == [["a"]]


def test_the_follower_of_logs_has_its_own_retries_and_gets_the_error(server: type[Server]) -> None:
    server.script = [(500, JSON, "{}")]
    clients = connect()
    with pytest.raises(clients.logs_once.exceptions.ClientError):
        clients.logs_once.describe_log_groups()
    assert len(server.seen) == 1


@pytest.mark.parametrize("service", ["ecs", "cloudformation"])
def test_a_page_in_place_of_an_answer_is_said_to_be_none_of_aws(
    server: type[Server], service: str
) -> None:
    server.script = [(200, "text/html", "<html><body>Please log in</body></html>")]
    clients = connect()
    with pytest.raises(NotAws, match="is not AWS"):
        if service == "ecs":
            clients.ecs.list_clusters()
        else:
            clients.cloudformation.describe_stacks()


_EMPTY = "DescribeStacks"


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("{}", JSON, "its answer to ListClusters has no `clusterArns`"),
        (
            f"<{_EMPTY}Response><{_EMPTY}Result/></{_EMPTY}Response>",
            "text/xml",
            "its answer to DescribeStacks has no `Stacks`",
        ),
    ],
)
def test_an_answer_without_what_aws_always_says_is_none_of_aws(
    server: type[Server], body: str, kind: str, sentence: str
) -> None:
    server.script = [(200, kind, body)]
    clients = connect()
    with pytest.raises(NotAws, match=sentence):
        if kind == JSON:
            clients.ecs.list_clusters()["clusterArns"]
        else:
            clients.cloudformation.describe_stacks()["Stacks"]


@pytest.mark.parametrize("body", ["{}", '{"events": null}', '{"events": {}}'])
def test_a_page_of_lines_without_lines_is_none_of_aws(server: type[Server], body: str) -> None:
    # Half of its readers would take it for an empty page, and end well.
    server.script = [(200, JSON, body)]
    with pytest.raises(NotAws, match="its answer to FilterLogEvents has no `events`"):
        connect().logs_once.filter_log_events(logGroupName="g")


def test_what_answers_to_renewed_credentials_is_looked_at_too(server: type[Server]) -> None:
    server.script = [(400, JSON, '{"__type": "ExpiredTokenException"}'), (200, JSON, "{}")]
    with pytest.raises(NotAws, match="has no `clusterArns`"):
        connect().ecs.list_clusters()["clusterArns"]


def test_nothing_is_written_into_another_account(server: type[Server]) -> None:
    # A8: not even the change set of a plan.
    clients = connect(account="999999999999")
    with pytest.raises(AwsError, match="belong to account 123456789012"):
        clients.ecs.create_cluster(clusterName="x")
    assert not any("CreateCluster" in operation for operation in server.seen)
    assert clients.ecs.list_clusters()["clusterArns"] == ["a"]


def test_the_account_is_asked_for_once(server: type[Server]) -> None:
    server.script = [(200, JSON, '{"cluster": {}}')]
    clients = connect(account=ACCOUNT)
    clients.ecs.create_cluster(clusterName="x")
    clients.ecs.create_cluster(clusterName="y")
    assert sum("GetCallerIdentity" in operation for operation in server.seen) == 1


def test_credentials_that_somebody_renewed_are_taken_up(server: type[Server]) -> None:
    expired = (400, JSON, '{"__type": "ExpiredTokenException"}')
    server.script = [expired, GOOD]
    assert connect().ecs.list_clusters()["clusterArns"] == ["a"]
    server.script = [expired]
    with pytest.raises(Exception, match="ExpiredToken"):
        connect().ecs.list_clusters()


EXPIRED = (400, JSON, '{"__type": "ExpiredTokenException"}')
CREATED = (200, JSON, '{"cluster": {}}')


def test_nothing_is_written_into_the_account_of_credentials_that_were_changed_meanwhile(
    server: type[Server],
) -> None:
    server.script, server.accounts = [CREATED, EXPIRED, CREATED], [ACCOUNT, "999999999999"]
    clients = connect(account=ACCOUNT)
    clients.ecs.create_cluster(clusterName="x")
    with pytest.raises(AwsError, match="belong to account 999999999999"):
        clients.ecs.create_cluster(clusterName="y")
    assert sum("CreateCluster" in operation for operation in server.seen) == 2


def test_the_first_write_of_credentials_that_were_changed_meanwhile_is_checked_too(
    server: type[Server],
) -> None:
    # The lock of a release renews by itself, and writes next.
    server.script, server.accounts = [CREATED], [ACCOUNT, "999999999999"]
    clients = connect(account=ACCOUNT)
    clients.check_account()
    clients.renew()
    with pytest.raises(AwsError, match="belong to account 999999999999"):
        clients.ecs.create_cluster(clusterName="y")
    assert not any("CreateCluster" in operation for operation in server.seen)


def test_a_call_with_renewed_credentials_is_as_patient_as_the_first(server: type[Server]) -> None:
    server.script = [EXPIRED, (500, JSON, "{}"), (400, JSON, '{"__type": "Throttling"}'), GOOD]
    clients = connect()
    assert clients.ecs.list_clusters()["clusterArns"] == ["a"]
    assert sum(call.times for call in clients.failed.take()) == 3


def test_debug_gets_names_of_calls_and_no_parameters(server: type[Server]) -> None:
    heard: list[str] = []
    clients = aws.connect(Aws(), debug=heard.append)
    clients.ecs.list_clusters(maxResults=7)
    assert heard == ["ecs ListClusters"]


def test_no_region_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsError, match="no AWS Region"):
        aws.connect(Aws())
    monkeypatch.setenv("AWS_REGION", "")
    with pytest.raises(AwsError, match="no AWS Region"):
        aws.connect(Aws())


def test_a_client_opens_the_folders_of_no_other_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    clients = aws.connect(Aws())
    listed: list[str] = []
    list_folder = os.listdir

    def listdir(path: str) -> list[str]:
        listed.append(str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert clients.cloudformation.meta.service_model.service_name == "cloudformation"
    assert not [path for path in listed if path.endswith("/ec2")]
    with pytest.raises(UnknownServiceError):
        clients.client("cloudfromation")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_variable_names_the_region(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for unset in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(unset, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    assert aws.connect(Aws()).region == "eu-west-1"


def test_a_role_is_assumed_once_for_every_call(server: type[Server]) -> None:
    clients = connect(assume_role=f"{ROLE}operator", external_id="secret")
    clients.ecs.list_clusters()
    clients.ecs.list_clusters()
    assert server.keys == ["x", "ROLE", "ROLE"]
    assert "RoleArn=arn" in server.seen[0] and "ExternalId=secret" in server.seen[0]


def test_a_role_that_cannot_be_assumed_is_reported(server: type[Server]) -> None:
    with pytest.raises(Exception, match="not authorized") as caught:
        connect(assume_role=f"{ROLE}forbidden").ecs.list_clusters()
    told = aws.translate(caught.value)
    assert told is not None and told.hint == "allow this caller `sts:AssumeRole`"


def profile(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, endpoint: str = ""
) -> "aws.Clients":
    """Clients by the profile `p` of a config file with this text."""
    file = folder / "config"
    file.write_text(text)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
    monkeypatch.setenv("HOME", str(folder))
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return aws.connect(Aws(profile="p", region="us-east-1"))


def refused(connect: Callable[[], "aws.Clients"]) -> OpsError:
    """What a command would say at its first call."""
    try:
        connect().ecs.list_clusters()
    except Exception as error:
        translated = aws.translate(error)
        assert translated is not None, repr(error)
        return translated
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("credential_process = /nope", "/nope: No such file or directory"),
        ("credential_process = /bin/echo hello", "did not write JSON"),
        ("credential_process = /bin/false", "cannot be read"),
        ("role_arn = arn:aws:iam::1:role/x\nweb_identity_token_file = /nope", "/nope"),
    ],
)
def test_credentials_that_cannot_be_had_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: type[Server], text: str, said: str
) -> None:
    refusal = refused(lambda: profile(tmp_path, monkeypatch, f"[profile p]\n{text}\n"))
    assert said in refusal.message and refusal.hint


def test_an_mfa_code_is_asked_for_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: type[Server]
) -> None:
    text = (
        "[profile p]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n"
        "mfa_serial = arn:aws:iam::1:mfa/x\n"
        "[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    clients = profile(tmp_path, monkeypatch, text)
    with pytest.raises(AwsError, match="wants an MFA code"):
        clients.ecs.list_clusters()


@pytest.mark.parametrize(
    "endpoint",
    [
        *("nonsense", "http://", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1"),
        *("http://ann:hunter2@127.0.0.1:9", "http://ann:hunter2@not a host"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    text = "[profile p]\naws_access_key_id = a\naws_secret_access_key = b\n"
    refusal = refused(lambda: profile(tmp_path, monkeypatch, text, endpoint))
    assert refusal.hint == "correct AWS_ENDPOINT_URL, or unset it"
    assert "hunter2" not in refusal.message


def test_a_config_file_that_is_broken_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = refused(lambda: profile(tmp_path, monkeypatch, "garbage [[[\n"))
    assert "parse" in refusal.message and "AWS_CONFIG_FILE" in str(refusal.hint)


def test_cloudformation_works_with_its_role_where_an_operation_takes_one(
    server: type[Server],
) -> None:
    role = "arn:aws:iam::123456789012:role/stacks"
    clients = aws.connect(Aws(cloudformation_role=role))
    results = ("CreateChangeSet", "ContinueUpdateRollback", "DescribeStacks")
    answer = "".join(f"<{name}Result/>" for name in results)
    server.script = [(200, "text/xml", f"<x>{answer}</x>")]
    clients.cloudformation.create_change_set(StackName="s", ChangeSetName="c")
    clients.cloudformation.delete_stack(StackName="s")
    clients.cloudformation.continue_update_rollback(StackName="s")
    clients.cloudformation.cancel_update_stack(StackName="s")
    clients.cloudformation.describe_stacks(StackName="s")
    given = {
        re.search(r"Action=(\w+)", body)[1]: "RoleARN=arn" in body  # type: ignore[index]
        for body in server.bodies
    }
    assert given == {
        "CreateChangeSet": True, "DeleteStack": True, "ContinueUpdateRollback": True,
        "CancelUpdateStack": False, "DescribeStacks": False,
    }  # fmt: skip
