"""Who reads which secret, and what is wrong with it."""

import pytest

from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.secrets import uses
from opsctl.secrets.uses import Finding
from opsctl.snapshot.secrets import Secret
from tests.opsctl.snapshots import config

VALUES = "secrets.values={token: 'ssm:/web/token'}"
ENVIRONMENT = "ecs.secrets={API: 'secretsmanager:web#api', token: 'secretsmanager:other'}"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def finding(chosen: Config, secret: Secret | None) -> Finding:
    [one] = uses.findings(chosen, {secret.reference: secret} if secret else {})
    return one


def test_each_use_has_its_reader() -> None:
    chosen = config(
        VALUES, ENVIRONMENT, "db.kind=replication_group", "db.password=ssm:/web/password"
    )
    assert [(one.path, one.read_by) for one in uses.uses(chosen)] == [
        ("secrets.values.token", "the service"),
        ("ecs.secrets.API", "ECS"),
        ("ecs.secrets.token", "ECS"),
        ("db.password", "CloudFormation"),
    ]


@pytest.mark.parametrize("name", ["API", "ecs.secrets.API", "secretsmanager:web#api"])
def test_a_use_is_chosen_by_name_path_or_reference(name: str) -> None:
    assert uses.chosen(config(VALUES, ENVIRONMENT), name).path == "ecs.secrets.API"


@pytest.mark.parametrize(
    ("name", "said"),
    [("token", "several secrets `token`"), ("tokn", "refers to no secret `tokn`")],
)
def test_a_name_that_is_not_one_use_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        uses.chosen(config(VALUES, ENVIRONMENT), name)


@pytest.mark.parametrize(
    ("secret", "problem", "doubt"),
    [
        (Secret("ssm:/web/token", "there", "SecureString", "alias/aws/ssm"), "", False),
        (Secret("ssm:/web/token", "there", "String"), "", False),
        (Secret("ssm:/web/token", "there", "StringList"), "is a StringList", False),
        (Secret("ssm:/web/token", "missing"), "does not exist", False),
        (Secret("ssm:/web/token", "denied"), "may not look", True),
        (Secret("ssm:/web/token", "there", "SecureString", KEY), "encrypted with", False),
    ],
)
def test_what_is_wrong_with_a_parameter(secret: Secret, problem: str, doubt: bool) -> None:
    one = finding(config(VALUES), secret)
    assert problem in one.problem and bool(problem) == bool(one.problem)
    assert one.doubt is doubt


def test_a_key_of_ones_own_is_fine_where_the_config_names_it() -> None:
    secret = Secret("ssm:/web/token", "there", "SecureString", KEY)
    assert not finding(config(VALUES, f"secrets.kms_key={KEY}"), secret).problem


@pytest.mark.parametrize(
    ("secret", "problem", "doubt"),
    [
        (Secret("secretsmanager:web", "there", keys=frozenset({"api"})), "", False),
        (Secret("secretsmanager:web", "there", keys=frozenset({"b"})), "no key `api`", False),
        (Secret("secretsmanager:web", "there", keys=None), "whether it has the key", True),
        (Secret("secretsmanager:web", "empty"), "has no value", False),
        (Secret("secretsmanager:web", "deleted"), "marked for deletion", False),
    ],
)
def test_what_is_wrong_with_a_secret(secret: Secret, problem: str, doubt: bool) -> None:
    one = finding(config("ecs.secrets={API: 'secretsmanager:web#api'}"), secret)
    assert problem in one.problem and one.doubt is doubt
    if problem and not doubt:
        assert one.hint == "opsctl secrets set API"


def test_a_reference_to_the_environment_is_for_ones_own_machine() -> None:
    one = finding(config("secrets.values={token: 'env:TOKEN'}"), None)
    assert one.doubt and "your own machine" in one.problem


def test_cloudformation_takes_a_securestring_alone() -> None:
    chosen = config("db.kind=replication_group", "db.password=ssm:/web/password")
    one = finding(chosen, Secret("ssm:/web/password", "there", "String"))
    assert one.problem == "is a String, not a SecureString"
