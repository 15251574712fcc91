"""Versions of secrets, by calls that never return a value."""

from types import SimpleNamespace
from typing import Any, cast

from opsctl.snapshot import secret_versions
from opsctl.snapshot.secret_versions import SecretVersion
from tests.opsctl.snapshot.conftest import Stub
from tests.opsctl.snapshots import START


def test_each_reference_has_its_version_and_one_that_is_not_there_has_none(stub: Stub) -> None:
    ssm, parameters = stub("ssm")
    manager, secrets = stub("secretsmanager")
    parameters.add_response(
        "describe_parameters",
        {"Parameters": [{"Name": "/a", "Version": 7, "LastModifiedDate": START}]},
        {"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": ["/a", "/gone"]}]},
    )
    # One after another, as a Stubber wants them.
    secrets.add_response(
        "describe_secret",
        {
            "VersionIdsToStages": {"v1" * 16: ["AWSPREVIOUS"], "v2" * 16: ["AWSCURRENT"]},
            "LastChangedDate": START,
        },
        {"SecretId": "db"},
    )
    clients = cast(Any, SimpleNamespace(ssm=ssm, secretsmanager=manager))
    references = ("ssm:/a", "secretsmanager:db#key", "ssm:/gone", "env:LOCAL")
    assert secret_versions.read(clients, references) == (
        SecretVersion("ssm:/a", "7", START),
        SecretVersion("secretsmanager:db#key", "v2" * 16, START),
        SecretVersion("ssm:/gone"),
    )


def test_a_secret_that_is_marked_for_deletion_still_has_its_version(stub: Stub) -> None:
    manager, secrets = stub("secretsmanager")
    current = {"VersionIdsToStages": {"v1" * 16: ["AWSCURRENT"]}, "DeletedDate": START}
    secrets.add_response("describe_secret", current, {"SecretId": "db"})
    clients = cast(Any, SimpleNamespace(secretsmanager=manager))
    [version] = secret_versions.read(clients, ("secretsmanager:db",))
    assert version.deleted and version.version == "v1" * 16


def test_a_secret_that_is_not_there_has_no_version(stub: Stub) -> None:
    manager, secrets = stub("secretsmanager")
    secrets.add_client_error("describe_secret", "ResourceNotFoundException")
    clients = cast(Any, SimpleNamespace(secretsmanager=manager))
    assert secret_versions.read(clients, ("secretsmanager:x",)) == (
        SecretVersion("secretsmanager:x"),
    )
