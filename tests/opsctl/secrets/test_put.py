"""Writing a secret: never shown, never twice by accident, never in clear."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from opsctl.errors import AwsError, ConfigError, OpsError
from opsctl.procedure import Question
from opsctl.secrets import put, uses
from opsctl.secrets.put import Stored, Value
from opsctl.snapshot.secrets import Secret
from opsctl.snapshot.snapshot import Snapshot
from tests.opsctl.snapshots import NAMES, START, Driven, config

PARAMETER = config("secrets.values={token: 'ssm:/web/token'}")
SECRET = config("ecs.secrets={token: 'secretsmanager:web/token'}")
KEYED = config("ecs.secrets={token: 'secretsmanager:web#token'}")
VALUE = Value("canary-7f3a")
TAGS = [{"Key": "opsctl:name", "Value": "web"}]


class Clients:
    """Clients whose calls botocore checks against the API's model."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}
        for service in ("ssm", "secretsmanager"):
            client: Any = boto3.client(
                service,
                region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
            )  # fmt: skip
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
            setattr(self, service, client)

    def check_account(self) -> None:
        pass


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()
        stub.client.close()


def driven(
    clients: Any, chosen: Any, secret: Secret, *, answers: list[bool] | None = None,
    value: Value = VALUE,
) -> Driven:  # fmt: skip
    [use] = uses.uses(chosen)
    now = Snapshot(START, NAMES, secrets=(secret,))
    return Driven(put.put(clients, chosen, use, value), [now], answers or [])


def test_a_new_parameter_is_a_securestring_with_our_tag(clients: Clients) -> None:
    expected = {
        "Name": "/web/token", "Value": VALUE.text, "Type": "SecureString", "Tags": TAGS,
    }  # fmt: skip
    clients.stubs["ssm"].add_response("put_parameter", {"Version": 1}, expected)
    done = driven(clients, PARAMETER, Secret("ssm:/web/token", "missing"))
    assert (done.questions, done.result.replaced) == ([], False)
    assert done.result.next == "opsctl update-tasks --force"


def test_an_existing_one_is_replaced_after_a_question_and_keeps_its_key(clients: Clients) -> None:
    expected = {
        "Name": "/web/token", "Value": VALUE.text, "Type": "SecureString", "Overwrite": True,
        "KeyId": "alias/mine",
    }  # fmt: skip
    clients.stubs["ssm"].add_response("put_parameter", {"Version": 2}, expected)
    secret = Secret("ssm:/web/token", "there", "SecureString", "alias/mine", changed=START)
    done = driven(clients, PARAMETER, secret, answers=[True])
    text = "replace the value of `ssm:/web/token`, last changed 2026-11-26 12:00 UTC?"
    assert done.questions == [Question(text)]
    assert done.of(Stored)[0].replaced


def test_what_may_not_be_read_is_refused_as_aws_refuses(clients: Clients) -> None:
    with pytest.raises(AwsError, match="this caller may not read `ssm:/web/token`") as caught:
        driven(clients, PARAMETER, Secret("ssm:/web/token", "denied"))
    assert caught.value.hint == "allow this caller `ssm:DescribeParameters`"


def test_a_no_writes_nothing(clients: Clients) -> None:
    secret = Secret("ssm:/web/token", "there", "SecureString")
    assert driven(clients, PARAMETER, secret, answers=[False]).result is None


def test_a_parameter_in_clear_is_never_given_a_secret(clients: Clients) -> None:
    with pytest.raises(OpsError, match="stored in clear"):
        driven(clients, PARAMETER, Secret("ssm:/web/token", "there", "String"))


def test_a_lost_answer_to_a_creation_is_not_claimed_as_done(clients: Clients) -> None:
    clients.stubs["ssm"].add_client_error("put_parameter", "ParameterAlreadyExists")
    with pytest.raises(OpsError, match="was made just now"):
        driven(clients, PARAMETER, Secret("ssm:/web/token", "missing"))


def test_a_new_secret_is_created_and_an_old_one_gets_a_new_value(clients: Clients) -> None:
    stub = clients.stubs["secretsmanager"]
    stub.add_response(
        "create_secret",
        {},
        {"Name": "web/token", "SecretString": VALUE.text, "ClientRequestToken": ANY, "Tags": TAGS},
    )
    driven(clients, SECRET, Secret("secretsmanager:web/token", "missing"))
    stub.add_response(
        "put_secret_value",
        {},
        {"SecretId": "web/token", "SecretString": VALUE.text, "ClientRequestToken": ANY},
    )
    driven(clients, SECRET, Secret("secretsmanager:web/token", "there"), answers=[True])


def test_one_marked_for_deletion_is_restored_after_a_question(clients: Clients) -> None:
    stub = clients.stubs["secretsmanager"]
    stub.add_response("restore_secret", {}, {"SecretId": "web/token"})
    stub.add_response("put_secret_value", {})
    done = driven(clients, SECRET, Secret("secretsmanager:web/token", "deleted"), answers=[True])
    assert "restore it" in done.questions[0].text


def test_a_key_of_one_marked_for_deletion_leaves_the_others_that_come_back(
    clients: Clients,
) -> None:
    # Source: RestoreSecret cancels the deletion; the versions of the value stay until then.
    stub = clients.stubs["secretsmanager"]
    stub.add_response("restore_secret", {}, {"SecretId": "web"})
    stub.add_response("get_secret_value", {"SecretString": '{"other": "x"}'})
    text = json.dumps({"other": "x", "token": VALUE.text})
    expected = {"SecretId": "web", "SecretString": text, "ClientRequestToken": ANY}
    stub.add_response("put_secret_value", {}, expected)
    driven(clients, KEYED, Secret("secretsmanager:web", "deleted"), answers=[True])


def test_a_secret_that_never_had_a_value_is_restored_with_one_key(clients: Clients) -> None:
    stub = clients.stubs["secretsmanager"]
    stub.add_response("restore_secret", {}, {"SecretId": "web"})
    stub.add_client_error("get_secret_value", "ResourceNotFoundException")
    text = json.dumps({"token": VALUE.text})
    expected = {"SecretId": "web", "SecretString": text, "ClientRequestToken": ANY}
    stub.add_response("put_secret_value", {}, expected)
    driven(clients, KEYED, Secret("secretsmanager:web", "deleted"), answers=[True])


def test_one_key_of_a_secret_leaves_the_others(clients: Clients) -> None:
    stub = clients.stubs["secretsmanager"]
    stub.add_response("get_secret_value", {"SecretString": '{"other": "x"}'})
    text = json.dumps({"other": "x", "token": VALUE.text})
    expected = {"SecretId": "web", "SecretString": text, "ClientRequestToken": ANY}
    stub.add_response("put_secret_value", {}, expected)
    secret = Secret("secretsmanager:web", "there", keys=frozenset({"other"}))
    assert not driven(clients, KEYED, secret).result.replaced


def test_a_key_of_a_secret_that_is_plain_text_is_refused(clients: Clients) -> None:
    clients.stubs["secretsmanager"].add_response("get_secret_value", {"SecretString": "plain"})
    with pytest.raises(OpsError, match="does not hold a JSON object"):
        driven(clients, KEYED, Secret("secretsmanager:web", "there", keys=frozenset()))


@pytest.mark.parametrize(
    ("chosen", "text", "said"),
    [
        (PARAMETER, "", "the value is empty"),
        (PARAMETER, "a\0b", "NUL byte"),
        (PARAMETER, "ä" * 2049, "4,098 bytes"),
        (SECRET, "x" * 65_537, "65,537 bytes"),
        (config("secrets.values={t: 'env:TOKEN'}"), "x", "environment of the process"),
        (
            config("db.kind=replication_group", "db.password=ssm:/p"),
            "short",
            "ElastiCache would refuse",
        ),
    ],
)
def test_what_the_reader_would_refuse_is_refused_before_any_call(
    clients: Clients, chosen: Any, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        driven(clients, chosen, Secret("x", "missing"), value=Value(text))
    assert not text or len(text) < 3 or text not in str(vars(raised.value))


def test_a_value_has_no_repr() -> None:
    assert VALUE.text not in f"{VALUE!r} {VALUE} {SimpleNamespace(a=VALUE)}"
