"""Find what AWS refuses of values together: tags, lists, variables, and ARNs of other places."""

import re
from collections.abc import Callable, Iterator, Sequence

from opsctl.config.document import Path
from opsctl.config.finding import Finding
from opsctl.config.model import Config
from opsctl.config.regions import REGIONS, partition

# AWS takes 50 for a resource, and opsctl, ECS and Auto Scaling add up to ten of their own.
_MOST_TAGS = 40
# A task definition has 64 KiB, and the rest of it needs some.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
_MOST_ENVIRONMENT = 56 * 1024
_SET_BY_OPSCTL = "AWS_REGION"
_ARN = re.compile(r"arn:(?P<partition>[^:]+):[^:]+:(?P<region>[^:]*):")


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
    size = sum(len(name.encode()) + len(value.encode()) for name, value in ecs.environment.items())
    if size > _MOST_ENVIRONMENT:
        text = f"{size} bytes; a task definition has 65536, so {_MOST_ENVIRONMENT} at most"
        yield Finding(("ecs", "environment"), text)


def _places(config: Config) -> Iterator[Finding]:
    """ARNs of no Region that there is, or of another Region or partition than `aws.region`.

    CloudWatch: "Invalid region … specified. Only … is supported.", and so for partitions.
    """
    region = config.aws.region
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
        elif match["region"] and partition(match["region"]) != match["partition"]:
            text = f"{match['partition']} has no Region `{match['region']}`"
            yield Finding(path, text)
        elif own is not None and match["partition"] != own:
            text = f"is of the partition {match['partition']}; {region} is in {own}"
            yield Finding(path, text)
        elif region is not None and match["region"] not in ("", region):
            yield Finding(path, f"is in {match['region']}; it must be in {region}")


_RULES: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _tags,
    _lists,
    _variables,
    _places,
)
