from types import SimpleNamespace
from typing import Any

import pytest

from opsctl.snapshot import secrets
from opsctl.snapshot.secrets import Secret
from tests.opsctl.snapshot.conftest import Stub


def of_ssm(stub: Stub, *described: Any, denied: bool = False) -> Any:
    ssm, stubber = stub("ssm")
    if denied:
        stubber.add_client_error("describe_parameters", "AccessDeniedException")
    else:
        stubber.add_response("describe_parameters", {"Parameters": list(described)})
    return SimpleNamespace(ssm=ssm)


def test_a_parameter_is_there_with_its_kind_and_key_or_missing(stub: Stub) -> None:
    one = {"Name": "/a", "Type": "SecureString", "KeyId": "alias/aws/ssm", "Version": 3}
    read = secrets.read(of_ssm(stub, one), ["ssm:/a", "ssm:/b", "env:C"])
    assert read == (
        Secret("ssm:/a", "there", "SecureString", "alias/aws/ssm", 3),
        Secret("ssm:/b", "missing"),
    )


def test_a_parameter_that_may_not_be_read_is_denied(stub: Stub) -> None:
    assert secrets.read(of_ssm(stub, denied=True), ["ssm:/a"]) == (Secret("ssm:/a", "denied"),)


@pytest.mark.parametrize(
    ("described", "state"),
    [
        ({"VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}}, "there"),
        ({"VersionIdsToStages": {"1" * 32: ["AWSPREVIOUS"]}}, "empty"),
        ({}, "empty"),
        ({"DeletedDate": 1.0, "VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}}, "deleted"),
    ],
)
def test_a_secret_has_a_value_when_it_has_a_current_version(
    stub: Stub, described: Any, state: str
) -> None:
    manager, stubber = stub("secretsmanager")
    stubber.add_response("describe_secret", described)
    clients: Any = SimpleNamespace(secretsmanager=manager)
    [one] = secrets.read(clients, ["secretsmanager:a"])
    assert one.state == state


@pytest.mark.parametrize(
    ("text", "keys"),
    [('{"a": 1, "b": "x"}', {"a", "b"}), ("plain", set()), ("[1]", set()), (None, None)],
)
def test_only_the_names_of_a_secrets_keys_are_kept(stub: Stub, text: Any, keys: Any) -> None:
    manager, stubber = stub("secretsmanager")
    stubber.add_response("describe_secret", {"VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}})
    if text is None:
        stubber.add_client_error("get_secret_value", "AccessDeniedException")
    else:
        stubber.add_response("get_secret_value", {"SecretString": text})
    clients: Any = SimpleNamespace(secretsmanager=manager)
    [one] = secrets.read(clients, ["secretsmanager:a#k", "secretsmanager:a#l"])
    assert one.keys == (None if keys is None else frozenset(keys))


def test_a_secret_that_is_missing_or_denied_is_no_error(stub: Stub) -> None:
    manager, stubber = stub("secretsmanager")
    clients: Any = SimpleNamespace(secretsmanager=manager)
    for code, state in (("ResourceNotFoundException", "missing"), ("AccessDenied", "denied")):
        stubber.add_client_error("describe_secret", code)
        assert secrets.read(clients, ["secretsmanager:a"])[0].state == state
