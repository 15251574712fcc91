"""Which version each secret has now, and since when. Never a value: no call here returns one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

    from opsctl.aws import Clients

_BATCH = 50  # the most values of one filter of DescribeParameters


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """`reference` is the config's: `ssm:/path`. `version` is '' for one that is not there."""

    reference: str
    version: str = ""
    changed: datetime | None = None


def read(clients: "Clients", references: Sequence[str]) -> tuple[SecretVersion, ...]:
    """In the order of the references; those of other kinds (`env:`) are left out."""
    paths = [one.removeprefix("ssm:") for one in references if one.startswith("ssm:")]
    secrets = [one for one in references if one.startswith("secretsmanager:")]
    parameters = _parameters(clients.ssm, paths) if paths else {}
    described = together([partial(_secret, clients.secretsmanager, one) for one in secrets])
    versions = {**parameters, **{one.reference: one for one in described}}
    return tuple(versions[one] for one in references if one in versions)


def _parameters(ssm: "SSMClient", paths: Sequence[str]) -> dict[str, SecretVersion]:
    versions = {f"ssm:{path}": SecretVersion(f"ssm:{path}") for path in paths}
    pages = ssm.get_paginator("describe_parameters").paginate
    for at in range(0, len(paths), _BATCH):
        names = list(paths[at : at + _BATCH])
        for page in pages(ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": names}]):
            for one in page["Parameters"]:
                reference = f"ssm:{one.get('Name', '')}"
                version = str(one.get("Version", ""))
                versions[reference] = SecretVersion(reference, version, one.get("LastModifiedDate"))
    return versions


def _secret(secretsmanager: "SecretsManagerClient", reference: str) -> SecretVersion:
    name = reference.removeprefix("secretsmanager:").partition("#")[0]
    try:
        described = secretsmanager.describe_secret(SecretId=name)
    except secretsmanager.exceptions.ResourceNotFoundException:
        return SecretVersion(reference)
    stages = described.get("VersionIdsToStages", {})
    current = next((id for id, names in stages.items() if "AWSCURRENT" in names), "")
    return SecretVersion(reference, current, described.get("LastChangedDate"))
