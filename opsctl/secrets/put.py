"""Write a secret's value where the config's reference points. The value is shown nowhere."""

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opsctl.config.model import Config
from opsctl.errors import AwsError, ConfigError, OpsError
from opsctl.procedure import Procedure, ask, look_at
from opsctl.secrets.uses import Use
from opsctl.snapshot.secrets import SECRETS_MANAGER, SSM, Secret, without_key
from opsctl.snapshot.snapshot import Look

if TYPE_CHECKING:
    from opsctl.aws import Clients

# Most bytes of a standard parameter, and of a secret.
_PARAMETER, _SECRET = 4096, 65_536
# Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
_AUTH_TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")


@dataclass(frozen=True, slots=True)
class Value:
    """A secret's value. It is not in the repr, so no message and no traceback contains it."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written. `next` is the command that makes its readers use it."""

    use: Use
    replaced: bool
    next: str


def put(clients: "Clients", config: Config, use: Use, value: Value) -> Procedure[Stored | None]:
    """Create the secret, or ask and replace it. Returns Stored, or None when declined."""
    require(config, use, value)
    clients.check_account()
    now = yield from look_at(Look(frozenset({"secrets"})))
    wanted = without_key(use.reference)
    secret = next((one for one in now.require("secrets").secrets if one.reference == wanted), None)
    if secret is None or secret.state == "denied":
        raise AwsError(
            f"this caller may not read `{use.reference}`",
            hint=_allow(use),
            cause="permission-missing",
        )
    if secret.kind in ("String", "StringList"):
        raise OpsError(
            f"`{use.reference}` is a {secret.kind}, which is stored in clear, and SSM does not "
            "change that",
            hint="delete it, or refer to another name in the config",
        )
    replaces = secret.exists and (not use.key or use.key in (secret.keys or ()))
    if (replaces or secret.state == "deleted") and not (yield from ask(_question(use, secret))):
        return None
    if wanted.startswith(SSM):
        _parameter(clients, config, wanted.removeprefix(SSM), secret, value)
    else:
        _secret(clients, config, use, secret, value)
    stored = Stored(use, replaces, _next(use))
    yield stored
    return stored


def require(config: Config, use: Use, value: Value) -> None:
    """Raise ConfigError for a value that its reader would refuse. No message contains the value."""
    if use.local:
        variable = use.reference.partition(":")[2]
        raise ConfigError(
            f"`{use.reference}` is read from the environment of the process",
            hint=f"export {variable}=… on your own machine; in AWS take ssm: or secretsmanager:",
        )
    if not value.text:
        raise ConfigError("the value is empty", hint="type it, or send it on stdin")
    if "\0" in value.text:
        raise ConfigError(
            "the value holds a NUL byte, which no environment variable can hold",
            hint=f"encode it first, for instance: base64 FILE | opsctl secrets set {use.name}",
        )
    size, longest = len(value.text.encode()), _SECRET
    if use.reference.startswith(SSM):
        longest = _PARAMETER
    if size > longest:
        raise ConfigError(
            f"the value has {size:,} bytes, and {longest:,} are allowed there",
            hint=f"a secretsmanager: reference takes up to {_SECRET:,} bytes"
            if longest < _SECRET
            else "store it elsewhere, for instance in S3, and its address here",
        )
    token = use.path == "db.password" and config.db.user is None
    if token and not _AUTH_TOKEN.fullmatch(value.text):
        raise ConfigError(
            "ElastiCache would refuse this password",
            hint="16 to 128 letters, digits and any of ! & # $ ^ < > -",
        )


def _question(use: Use, secret: Secret) -> str:
    if secret.state == "deleted":
        return f"`{use.reference}` is marked for deletion: restore it, with this value?"
    when = f", last changed {secret.changed:%Y-%m-%d %H:%M} UTC" if secret.changed else ""
    return f"replace the value of `{use.reference}`{when}?"


def _parameter(clients: "Clients", config: Config, name: str, secret: Secret, value: Value) -> None:
    request: dict[str, Any] = {"Name": name, "Value": value.text, "Type": "SecureString"}
    if key := (secret.kms_key if secret.exists else config.secrets.kms_key):
        request["KeyId"] = key
    if secret.exists:
        request["Overwrite"] = True
    else:
        request["Tags"] = _tags(config)
    try:
        clients.ssm.put_parameter(**request)
    except clients.ssm.exceptions.ParameterAlreadyExists as error:
        raise OpsError(
            f"`{name}` was made just now, by somebody else or by this very call",
            hint="opsctl secrets check",
        ) from error


def _secret(clients: "Clients", config: Config, use: Use, secret: Secret, value: Value) -> None:
    manager = clients.secretsmanager
    name = without_key(use.reference).removeprefix(SECRETS_MANAGER)
    # Its value can be read, and its other keys kept, only after that.
    if secret.state == "deleted":
        manager.restore_secret(SecretId=name)
    text = value.text
    if use.key:
        text = json.dumps({**_members(clients, use, name, secret), use.key: value.text})
    # Secrets Manager recognises a repeated call by this token.
    token = str(uuid.uuid4())
    if secret.state != "missing":
        manager.put_secret_value(SecretId=name, SecretString=text, ClientRequestToken=token)
        return
    if name.startswith("arn:"):
        raise OpsError(
            f"there is no secret {name}", hint="refer to it by name, and this command makes it"
        )
    more: dict[str, Any] = {"KmsKeyId": config.secrets.kms_key} if config.secrets.kms_key else {}
    manager.create_secret(
        Name=name, SecretString=text, ClientRequestToken=token, Tags=_tags(config), **more
    )


def _members(clients: "Clients", use: Use, name: str, secret: Secret) -> dict[str, Any]:
    """Return the members that the secret's JSON has already."""
    if secret.state in ("missing", "empty"):
        return {}
    manager = clients.secretsmanager
    try:
        text = manager.get_secret_value(SecretId=name).get("SecretString", "")
    except manager.exceptions.ResourceNotFoundException:
        return {}  # it was marked for deletion without ever having a value
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise OpsError(
            f"`{name}` does not hold a JSON object, so it has no key `{use.key}`",
            hint="leave `#…` out of the reference, or refer to another secret",
        )
    return members


def _tags(config: Config) -> list[Any]:
    return [{"Key": "opsctl:name", "Value": config.name}]


def _next(use: Use) -> str:
    return "opsctl db up" if use.read_by == "CloudFormation" else "opsctl update-tasks --force"


def _allow(use: Use) -> str:
    ssm = use.reference.startswith(SSM)
    action = "ssm:DescribeParameters" if ssm else "secretsmanager:DescribeSecret"
    return f"allow this caller `{action}`"
