"""Who reads which secret, and in which form it must be stored. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from opsctl.config.findings import suggestion
from opsctl.config.model import Config
from opsctl.errors import ConfigError
from opsctl.snapshot.secrets import Secret, without_key

# The service reads with the task role when it starts, ECS before that with the execution role,
# CloudFormation with the caller's rights when it creates the cache.
ReadBy: TypeAlias = Literal["the service", "ECS", "CloudFormation"]
_READERS: Mapping[str, ReadBy] = {
    "secrets": "the service", "ecs": "ECS", "db": "CloudFormation",
}  # fmt: skip
_SSM_KEY, _SECRETS_MANAGER_KEY = "alias/aws/ssm", "alias/aws/secretsmanager"


@dataclass(frozen=True, slots=True)
class Use:
    """One reference of the config. `path` is its dotted key, `name` the last part of that."""

    path: str
    reference: str

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def read_by(self) -> ReadBy:
        return _READERS[self.path.partition(".")[0]]

    @property
    def local(self) -> bool:
        """Whether it is read from the environment, which works only on a developer's machine."""
        return self.reference.startswith("env:")

    @property
    def key(self) -> str:
        return self.reference.partition("#")[2]


@dataclass(frozen=True, slots=True)
class Finding:
    """A use and what is wrong with it, or ''. A doubt blocks nothing."""

    use: Use
    problem: str = ""
    hint: str = ""
    doubt: bool = False
    secret: Secret | None = None


def uses(config: Config) -> list[Use]:
    return [Use(path, reference) for path, reference in config.secret_references.items()]


def chosen(config: Config, name: str) -> Use:
    """Return the use with this name, dotted key or reference.

    Raises ConfigError unless exactly one fits.
    """
    known = uses(config)
    fitting = [one for one in known if name in (one.name, one.path, one.reference)]
    if not fitting:
        raise ConfigError(
            f"the config refers to no secret `{name}`",
            hint=suggestion(name, {one.name for one in known}) + "; write the reference under "
            "`secrets.values` or `ecs.secrets` first",
        )
    if len({one.reference for one in fitting}) > 1:
        paths = ", ".join(one.path for one in fitting)
        raise ConfigError(f"there are several secrets `{name}`", hint=f"choose one: {paths}")
    return fitting[0]


def findings(config: Config, secrets: Mapping[str, Secret]) -> Iterator[Finding]:
    """Yield a Finding for each use, in the config's order.

    `secrets` are by reference, without key.
    """
    for use in uses(config):
        if use.local:
            yield Finding(use, "is read from the environment, on your own machine only", doubt=True)
            continue
        yield _finding(config, use, secrets.get(without_key(use.reference)))


def _finding(config: Config, use: Use, secret: Secret | None) -> Finding:
    put = f"opsctl secrets set {use.path if _ambiguous(config, use) else use.name}"
    if secret is None or secret.state == "denied":
        return Finding(use, "this caller may not look", doubt=True, secret=secret)
    if secret.state == "missing":
        return Finding(use, "does not exist", put, secret=secret)
    if secret.state == "empty":
        return Finding(use, "has no value", put, secret=secret)
    if secret.state == "deleted":
        return Finding(use, "is marked for deletion", put, secret=secret)
    if use.key and secret.keys is None:
        words = f"is there; whether it has the key `{use.key}` this caller may not know"
        return Finding(use, words, doubt=True, secret=secret)
    if use.key and use.key not in (secret.keys or ()):
        return Finding(use, f"has no key `{use.key}`", put, secret=secret)
    return Finding(use, *_form(config, use, secret), secret=secret)


def _form(config: Config, use: Use, secret: Secret) -> tuple[str, str]:
    """Return why the reader cannot use the secret as it is stored, and what helps; or ('', '')."""
    if secret.kind == "StringList" or (secret.kind == "String" and use.path == "db.password"):
        return f"is a {secret.kind}, not a SecureString", "store it under another name"
    own = secret.kms_key not in ("", _SSM_KEY, _SECRETS_MANAGER_KEY)
    own = own and not secret.kms_key.endswith(("alias/aws/ssm", "alias/aws/secretsmanager"))
    if own and config.secrets.kms_key is None and use.read_by != "CloudFormation":
        return (
            f"is encrypted with {secret.kms_key}, which the tasks' roles may not use",
            "set `secrets.kms_key` to the key's ARN",
        )
    return "", ""


def _ambiguous(config: Config, use: Use) -> bool:
    others = {one.reference for one in uses(config) if one.name == use.name}
    return len(others) > 1
