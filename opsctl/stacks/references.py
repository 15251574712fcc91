"""Translate secret references (`ssm:/path`, `secretsmanager:name#key`) for CloudFormation.

opsctl never sees the values: ECS and CloudFormation read them.
"""

from collections.abc import Iterable

from opsctl.config.model import Config

_ARN = "arn:${AWS::Partition}"


def dynamic(reference: str) -> str:
    """Return a dynamic reference, which CloudFormation resolves when it applies the template."""
    if reference.startswith("ssm:"):
        return f"{{{{resolve:ssm-secure:{reference.removeprefix('ssm:')}}}}}"
    name, key = _secret(reference)
    return f"{{{{resolve:secretsmanager:{name}:SecretString{f':{key}' if key else ''}}}}}"


def container_secrets(config: Config) -> dict[str, str]:
    """Return environment variable -> `valueFrom` of the task definition, for Fn::Sub."""
    return {name: _value_from(reference) for name, reference in config.ecs.secrets.items()}


def statements(references: Iterable[str]) -> dict[str, list[str]]:
    """Return IAM action -> resources (for Fn::Sub) required to read these references."""
    reads: dict[str, list[str]] = {}
    for reference in references:
        if reference.startswith("ssm:"):
            resource = _parameter(reference)
            for action in ("ssm:GetParameter", "ssm:GetParameters"):
                reads.setdefault(action, []).append(resource)
        elif reference.startswith("secretsmanager:"):
            name, _ = _secret(reference)
            # Secrets Manager appends six characters to every secret's name.
            resource = name if name.startswith("arn:") else f"{_secret_arn(name)}-??????"
            reads.setdefault("secretsmanager:GetSecretValue", []).append(resource)
    return {action: sorted(set(resources)) for action, resources in reads.items()}


def _value_from(reference: str) -> str:
    if reference.startswith("ssm:"):
        return _parameter(reference)
    name, key = _secret(reference)
    arn = name if name.startswith("arn:") else _secret_arn(name)
    return f"{arn}:{key}::" if key else arn


def _parameter(reference: str) -> str:
    path = reference.removeprefix("ssm:")
    return f"{_ARN}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{path}"


def _secret_arn(name: str) -> str:
    return f"{_ARN}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{name}"


def _secret(reference: str) -> tuple[str, str]:
    name, _, key = reference.removeprefix("secretsmanager:").partition("#")
    return name, key
