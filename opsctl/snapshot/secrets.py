"""Read the state of the secrets that the config refers to, without their values.

A value is read only to list its keys, when a reference names a key (`secretsmanager:a#key`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from opsctl import aws
from opsctl.snapshot import parameters
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

    from opsctl.aws import Clients

SSM, SECRETS_MANAGER = "ssm:", "secretsmanager:"
_DENIED = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret. `reference` is the config's, without its `#key`.

    `kind` is SSM's word, or `secret` for Secrets Manager. `keys` are those of a JSON secret, or
    None when they were not needed or may not be read. The state `denied` means that this caller may
    not read it.
    """

    reference: str
    state: Literal["there", "missing", "empty", "deleted", "denied"]
    kind: Literal["String", "StringList", "SecureString", "secret"] = "secret"
    kms_key: str = ""
    version: int = 0
    changed: datetime | None = None
    keys: frozenset[str] | None = None

    @property
    def exists(self) -> bool:
        return self.state in ("there", "empty")


def without_key(reference: str) -> str:
    return reference.partition("#")[0]


def read(clients: "Clients", references: Iterable[str]) -> tuple[Secret, ...]:
    """Return the secrets in SSM and Secrets Manager, in the order of their first mention."""
    named = tuple(dict.fromkeys(references))
    whole = tuple(dict.fromkeys(map(without_key, named)))
    of_ssm = [one for one in whole if one.startswith(SSM)]
    secrets = [one for one in whole if one.startswith(SECRETS_MANAGER)]
    keyed = {without_key(one) for one in named if "#" in one}
    calls: list[Any] = [partial(_parameters, clients.ssm, of_ssm)] if of_ssm else []
    if secrets:
        manager = clients.secretsmanager
        calls += [partial(_secret, manager, one, keys=one in keyed) for one in secrets]
    known = {one.reference: one for answer in together(calls) for one in answer}
    return tuple(known[one] for one in whole if one in known)


def _parameters(ssm: "SSMClient", references: Sequence[str]) -> list[Secret]:
    names = [one.removeprefix(SSM) for one in references]
    try:
        described = parameters.described(ssm, names)
    except ssm.exceptions.ClientError as error:
        if aws.code(error) in _DENIED:
            return [Secret(one, "denied") for one in references]
        raise
    secrets = []
    for reference in references:
        one = described.get(reference.removeprefix(SSM))
        if one is None:
            secrets.append(Secret(reference, "missing"))
            continue
        secrets.append(
            Secret(
                reference,
                "there",
                one.get("Type", "SecureString"),
                one.get("KeyId", ""),
                one.get("Version", 0),
                one.get("LastModifiedDate"),
            )
        )
    return secrets


def _secret(manager: "SecretsManagerClient", reference: str, *, keys: bool) -> list[Secret]:
    name = reference.removeprefix(SECRETS_MANAGER)
    try:
        described: Any = manager.describe_secret(SecretId=name)
    except manager.exceptions.ResourceNotFoundException:
        return [Secret(reference, "missing")]
    except manager.exceptions.ClientError as error:
        if aws.code(error) in _DENIED:
            return [Secret(reference, "denied")]
        raise
    stages = described.get("VersionIdsToStages", {}).values()
    state: Literal["there", "empty", "deleted"] = "there"
    if described.get("DeletedDate"):
        state = "deleted"
    elif not any("AWSCURRENT" in names for names in stages):
        state = "empty"
    changed = described.get("LastChangedDate") or described.get("CreatedDate")
    known = _keys(manager, name) if keys and state == "there" else None
    key = described.get("KmsKeyId", "")
    return [Secret(reference, state, "secret", key, changed=changed, keys=known)]


def _keys(manager: "SecretsManagerClient", name: str) -> frozenset[str] | None:
    try:
        text = manager.get_secret_value(SecretId=name).get("SecretString", "")
    except manager.exceptions.ClientError as error:
        if aws.code(error) in (*_DENIED, "DecryptionFailure"):
            return None
        raise
    try:
        value = json.loads(text)
    except ValueError:
        return frozenset()
    return frozenset(value) if isinstance(value, dict) else frozenset()
