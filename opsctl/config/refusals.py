"""Find what AWS refuses of values together: tags, lists, variables, and ARNs of other places."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from opsctl.config.document import Path
from opsctl.config.finding import Finding
from opsctl.config.model import Config
from opsctl.config.regions import REGIONS, partition

# AWS takes 50 for a resource, and opsctl, ECS and Auto Scaling add up to ten of their own.
_MOST_TAGS = 40
# A task definition has 64 KiB, and the rest of it needs some.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
_MOST_ENVIRONMENT = 56 * 1024
# What `arn:aws:ssm:REGION:ACCOUNT:parameter` and its quotes add to a reference.
_OF_AN_ARN = 45
_MOST_POLICY = 10_000
_SET_BY_OPSCTL = "AWS_REGION"
_ARN = re.compile(
    r"arn:(?P<partition>[^:]+):(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*)"
)


def check(config: Config) -> Iterator[Finding]:
    for rule in _RULES:
        yield from rule(config)


def _tags(config: Config) -> Iterator[Finding]:
    if len(config.tags) > _MOST_TAGS:
        text = f"found {len(config.tags)} tags; AWS takes 50, and the stacks and ECS add some"
        yield Finding(("tags",), f"{text}, so {_MOST_TAGS} at most")
    # IAM: "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    taken: dict[str, str] = {}
    for key in config.tags:
        if key.lower() in taken:
            text = f"IAM takes it for `{taken[key.lower()]}`, in upper or lower case"
            yield Finding(("tags", key), text)
        taken.setdefault(key.lower(), key)


def _lists(config: Config) -> Iterator[Finding]:
    """The same subnet or CIDR twice: the second one fails."""
    lists: dict[Path, Sequence[str]] = {
        ("network", "subnets"): config.network.subnets,
        ("network", "load_balancer_subnets"): config.network.load_balancer_subnets or (),
        ("db", "subnets"): config.db.subnets or (),
        ("compute", "subnets"): config.compute.subnets or (),
        ("load_balancer", "cidrs"): config.load_balancer.cidrs,
        ("ecs", "breaker", "alarms"): config.ecs.breaker.alarms,
    }
    for path, values in lists.items():
        twice = dict.fromkeys(one for one in values if values.count(one) > 1)
        if twice:
            yield Finding(path, f"written twice: {', '.join(f'`{one}`' for one in twice)}")


def _variables(config: Config) -> Iterator[Finding]:
    ecs = config.ecs
    for key, names in (("environment", ecs.environment), ("secrets", ecs.secrets)):
        if _SET_BY_OPSCTL in names:
            # ECS: "The secret name must be unique and not shared with any […] variables".
            text = "the stack sets it to its own Region; leave it out"
            yield Finding(("ecs", key, _SET_BY_OPSCTL), text)
    for name, value in ecs.environment.items():
        if "\0" in value:
            text = "holds a NUL character, which no variable of a process can"
            yield Finding(("ecs", "environment", name), text)
    parts: dict[Path, int] = {
        ("ecs", "environment"): _size(ecs.environment),
        ("ecs", "secrets"): _size(ecs.secrets) + _OF_AN_ARN * len(ecs.secrets),
        ("ecs", "health_check", "command"): len(json.dumps(ecs.health_check.command)),
    }
    if (size := sum(parts.values())) > _MOST_ENVIRONMENT:
        text = f"{size} bytes with all others; a task definition has 65536"
        largest = max(parts, key=lambda path: parts[path])
        yield Finding(largest, f"{text}, so {_MOST_ENVIRONMENT} at most")
    for path, references in {
        ("ecs", "secrets"): ecs.secrets.values(),
        ("secrets", "values"): config.secrets.values.values(),
    }.items():
        if (size := sum(len(one) + _OF_AN_ARN for one in set(references))) > _MOST_POLICY:
            # IAM: "Maximum policy size of 10240 bytes exceeded for role".
            text = f"the policy that lets the role read them has {size} bytes or more; IAM takes"
            yield Finding(path, f"{text} 10240, so keep several values in one secret, as #keys")


def _size(values: Mapping[str, str]) -> int:
    """Return the bytes of a list of variables in a task definition."""
    return sum(len(json.dumps({"name": key, "value": one})) + 1 for key, one in values.items())


def _secret_places(config: Config) -> Iterator[Finding]:
    for key, reference in config.secret_references.items():
        match = _ARN.search(reference)
        if match and (text := _no_region(match)):
            yield Finding(tuple(key.split(".")), text)


def _places(config: Config) -> Iterator[Finding]:
    """ARNs of no Region that there is, or of another Region or partition than `aws.region`.

    CloudWatch: "Invalid region … specified. Only … is supported.", and so for partitions.
    """
    region, account = config.aws.region, config.aws.account
    own = partition(region) if region is not None else None
    written: dict[Path, str | None] = {
        ("alarms", "topic"): config.alarms.topic,
        ("load_balancer", "certificate"): config.load_balancer.certificate,
        ("logs", "kms_key"): config.logs.kms_key,
        ("secrets", "kms_key"): config.secrets.kms_key,
        ("aws", "assume_role"): config.aws.assume_role,
        ("aws", "cloudformation_role"): config.aws.cloudformation_role,
        ("aws", "permissions_boundary"): config.aws.permissions_boundary,
    }
    for path, arn in written.items():
        match = _ARN.match(arn or "")
        if match is None:
            continue
        if match["partition"] not in {*map(partition, REGIONS)}:
            yield Finding(path, f"AWS has no partition `{match['partition']}`")
        elif match["region"] and (text := _no_region(match)):
            yield Finding(path, text)
        elif own is not None and match["partition"] != own:
            text = f"is of the partition {match['partition']}; {region} is in {own}"
            yield Finding(path, text)
        elif region is not None and match["region"] not in ("", region):
            yield Finding(path, f"is in {match['region']}; it must be in {region}")
        elif account is not None and match["account"] not in (account, "aws", *_others(match)):
            # IAM: "Cross-account pass role is not allowed."
            yield Finding(path, f"is of the account {match['account']}; `aws.account` is {account}")


def _no_region(match: re.Match[str]) -> str:
    """Return what is wrong with the Region of an ARN, or ''."""
    if partition(match["region"]) == match["partition"]:
        return ""
    return f"{match['partition']} has no Region `{match['region']}`"


def _others(match: re.Match[str]) -> tuple[str, ...]:
    """Return the account of an ARN whose service lets other accounts use what is theirs."""
    return (match["account"],) if match["service"] in ("kms", "sns") else ()


_RULES: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _tags,
    _lists,
    _variables,
    _places,
    _secret_places,
)
