"""The table of derived names, and AWS's limits for each name."""

import re
from collections.abc import Mapping
from typing import Any

from opsctl.config import sources
from opsctl.config.document import Path

# The default of an empty or missing key. `{system}` is `name`, or `name-environment`.
DERIVED: Mapping[tuple[str, ...], str] = {
    ("db", "name"): "{system}-redis",
    ("db", "security_group_name"): "{system}-redis",
    ("db", "subnet_group_name"): "{system}-redis",
    ("ecs", "cluster_name"): "{system}",
    ("ecs", "service_name"): "{system}",
    ("ecs", "task_definition_name"): "{system}",
    ("ecs", "container_name"): "{name}",
    ("ecs", "service_role", "name"): "{system}-service",
    ("compute", "security_group_name"): "{system}-instances",
    ("compute", "instance_profile_name"): "{system}-instances",
    ("load_balancer", "name"): "{system}",
    ("load_balancer", "target_group_name"): "{system}",
    ("load_balancer", "security_group_name"): "{system}-load-balancer",
    ("image", "repository"): "{system}",
    **{("logs", source): f"/{{system}}/{source}" for source in sources.NAMES},
    ("logs", "stream_name_root"): "{system}-",
}

NAME = r"^[a-z](-?[a-z0-9])*$"
NAME_LENGTH = 20
NAME_WORDS = "up to 20 lower-case letters, digits and single hyphens, beginning with a letter"
# With `name`'s 20 characters and a hyphen, no derived name exceeds the load balancer's 32.
ENVIRONMENT = re.compile(r"(?=.{1,11}$)[a-z](-?[a-z0-9])*")
ENVIRONMENT_WORDS = (
    "up to 11 lower-case letters, digits and single hyphens, beginning with a letter"
)

_OF_GROUP = r"[A-Za-z0-9._:/()#,@\[\]+=&;{}!$*-]"
# Each network has a group `default` already.
_GROUP = (
    255,
    rf"(?!(?i:sg-|default$)){_OF_GROUP}+( +{_OF_GROUP}+)*",
    "letters, digits, punctuation and inner spaces, not beginning with sg-",
)
_ECS = (255, r"[A-Za-z0-9_-]+", "letters, digits, _ and -")
_CACHE = (
    50,
    r"[a-z](-?[a-z0-9])*",
    "lower-case letters, digits and single hyphens, beginning with a letter",
)
_BALANCER = (
    32,
    r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
    "letters, digits and inner -, not beginning with internal-",
)
_TARGET_GROUP = (32, r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", "letters, digits and inner -")
_IAM = (r"[A-Za-z0-9_+=,.@-]+", "letters, digits and + = , . @ _ -")
_REPOSITORY = (
    r"[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*",
    "lower-case words joined by . _ __ / or -, 2 characters at least",
)
_LOG_GROUP = (
    512,
    r"(?!aws/)[A-Za-z0-9_/.#-]+",
    "letters, digits, _ / . # and -, not beginning with aws/",
)
# path -> (longest, pattern, pattern in words). Source: each service's Create… call.
LIMITS: Mapping[tuple[str, ...], tuple[int, str, str]] = {
    ("db", "name"): _CACHE,
    ("db", "security_group_name"): _GROUP,
    # ElastiCache: "Identifiers must begin with a letter; must contain only ASCII letters, digits,
    # and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    ("db", "subnet_group_name"): (255, rf"(?!default$){_CACHE[1]}", _CACHE[2]),
    ("ecs", "cluster_name"): _ECS,
    ("ecs", "service_name"): _ECS,
    ("ecs", "task_definition_name"): _ECS,
    ("ecs", "container_name"): _ECS,
    ("ecs", "service_role", "name"): (64, *_IAM),
    ("compute", "security_group_name"): _GROUP,
    ("compute", "instance_profile_name"): (128, *_IAM),
    ("load_balancer", "name"): _BALANCER,
    ("load_balancer", "target_group_name"): _TARGET_GROUP,
    ("load_balancer", "security_group_name"): _GROUP,
    ("image", "repository"): (256, *_REPOSITORY),
    **{("logs", source): _LOG_GROUP for source in sources.NAMES},
    # The service appends a timestamp and a task id to the root; streams may have 512 characters.
    ("logs", "stream_name_root"): (400, r"[^:*]+", "anything without : and *"),
}
_REPLICATION_GROUP_LENGTH = 40
_SHORTEST_REPOSITORY = 2


def derive(data: dict[str, Any], environment: str | None) -> set[Path]:
    """Fill every empty name of the table into `data`, and return the paths that were filled."""
    name = data.get("name")
    if not isinstance(name, str):
        return set()
    system = f"{name}-{environment}" if environment else name
    filled: set[Path] = set()
    for path, pattern in DERIVED.items():
        *sections, last = path
        section: Any = data
        for piece in sections:
            section = section.setdefault(piece, {})
            if not isinstance(section, dict):
                break
        if isinstance(section, dict) and section.get(last) in (None, ""):
            section[last] = pattern.format(system=system, name=name)
            filled.add(path)
    return filled


def refused(path: tuple[str, ...], name: str, *, replication_group: bool = False) -> str | None:
    """Return why AWS would refuse `name` at `path`, or None."""
    longest, pattern, words = LIMITS[path]
    if path == ("db", "name") and replication_group:
        longest = _REPLICATION_GROUP_LENGTH
    if len(name) > longest:
        return f"found `{name}`, {len(name)} characters; AWS allows {longest}"
    short = path == ("image", "repository") and len(name) < _SHORTEST_REPOSITORY
    if short or not re.fullmatch(pattern, name):
        return f"found `{name}`, allowed: {words}"
    return None
