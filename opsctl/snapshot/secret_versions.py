"""Read the current version of each secret and since when. No call here returns a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from opsctl.snapshot import parameters
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

    from opsctl.aws import Clients


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One secret's version. `reference` is the config's: `ssm:/path`. `version` is '' if it is
    missing. ECS and the service can no longer read one that is `deleted` (marked for deletion).
    """

    reference: str
    version: str = ""
    changed: datetime | None = None
    deleted: bool = False

    @property
    def problem(self) -> str:
        """What keeps a task from reading it, in words; '' when it can."""
        if self.deleted:
            return "is marked for deletion"
        return "" if self.version else "does not exist or has no value"


def read(clients: "Clients", references: Sequence[str]) -> tuple[SecretVersion, ...]:
    """Return versions in the order of the references, without those of other kinds (`env:`)."""
    paths = [one.removeprefix("ssm:") for one in references if one.startswith("ssm:")]
    secrets = [one for one in references if one.startswith("secretsmanager:")]
    of_ssm = _parameters(clients.ssm, paths) if paths else {}
    described = together([partial(_secret, clients.secretsmanager, one) for one in secrets])
    versions = {**of_ssm, **{one.reference: one for one in described}}
    return tuple(versions[one] for one in references if one in versions)


def _parameters(ssm: "SSMClient", paths: Sequence[str]) -> dict[str, SecretVersion]:
    described = parameters.described(ssm, paths)
    versions = {f"ssm:{path}": SecretVersion(f"ssm:{path}") for path in paths}
    for name, one in described.items():
        version, changed = str(one.get("Version", "")), one.get("LastModifiedDate")
        versions[f"ssm:{name}"] = SecretVersion(f"ssm:{name}", version, changed)
    return versions


def _secret(secretsmanager: "SecretsManagerClient", reference: str) -> SecretVersion:
    name = reference.removeprefix("secretsmanager:").partition("#")[0]
    try:
        described = secretsmanager.describe_secret(SecretId=name)
    except secretsmanager.exceptions.ResourceNotFoundException:
        return SecretVersion(reference)
    stages = described.get("VersionIdsToStages", {})
    current = next((id for id, names in stages.items() if "AWSCURRENT" in names), "")
    return SecretVersion(
        reference,
        current,
        described.get("LastChangedDate"),
        deleted=bool(described.get("DeletedDate")),
    )
