"""The directory of a new system: what `init` writes, without overwriting anything."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from opsctl import disk, project
from opsctl.config import document, load
from opsctl.snapshot.network import Network
from opsctl.snapshot.subnets import Subnet

# The ids in a new sandbox, which opsctl.example.yaml names.
SANDBOX_VPC = "vpc-00000001"
SANDBOX_SUBNETS = ("subnet-00000001", "subnet-00000002")
_ZONES = 3  # subnets at most, each in its own zone
_HEADER = """\
# opsctl.yaml: every key, and what it does. Delete what you do not change: a file with `name` and
# `network` alone describes a whole system; `opsctl config show` prints what it comes to."""
_IGNORED = """\
# What a release makes from Caddyfile_template.
/Caddyfile
# Secrets and what was recorded of failures stay here.
.secrets.yml
.opsctl/
__pycache__/
"""
_COMPILED = (".pyc", ".pyo")
_COPIED = ("Caddyfile_template", "requirements/service.txt")


@dataclass(frozen=True, slots=True)
class Choices:
    """What differs between two new systems.

    `account` is '' in the sandbox, whose account needs no protection.
    """

    name: str
    vpc: str = SANDBOX_VPC
    subnets: tuple[str, ...] = SANDBOX_SUBNETS
    load_balancer_subnets: tuple[str, ...] = ()
    region: str = ""
    account: str = ""
    key_pairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A file. `kept` means that it existed and was left unchanged."""

    path: Path
    kept: bool = False


def files(choices: Choices) -> dict[str, str]:
    """Return path -> content of all files that a system needs."""
    texts = {name: _read(name) for name in _COPIED}
    service = sorted((project.FOLDER / "service").rglob("*"))
    sources = [path for path in service if path.is_file() and path.suffix not in _COMPILED]
    paths = [path.relative_to(project.FOLDER).as_posix() for path in sources]
    dockerfile = _read("Dockerfile").split("\nFROM python AS opsctl")[0]
    head, _, rest = dockerfile.partition("# Plain instructions")
    return {
        "opsctl.yaml": config(choices),
        "Dockerfile": f"# The image of the service that ECS runs.\n# Plain instructions{rest}\n",
        ".dockerignore": _admitted(_read(".dockerignore")),
        ".gitignore": _IGNORED,
        **texts,
        **{path: _read(path) for path in paths},
    }


def config(choices: Choices) -> str:
    """Return the example config with these choices; every key keeps its comment.

    Raises ConfigError for a name that opsctl itself would refuse.
    """
    text = _read("opsctl.example.yaml")
    text = _HEADER + "\n" + text.split("\n", 2)[2]
    values: dict[tuple[str, ...], str] = {("name",): choices.name}
    if choices.account:
        text = text.replace(" (These three ids are the sandbox's own.)", "")
        values |= {
            ("aws", "region"): choices.region,
            ("aws", "account"): f'"{choices.account}"',
            ("network", "vpc"): choices.vpc,
            ("network", "subnets"): _list(choices.subnets),
            ("secrets", "values", "refresh_token"): f"ssm:/{choices.name}/refresh_token",
        }
        if choices.load_balancer_subnets:
            facing = ("network", "load_balancer_subnets")
            values[facing] = _list(choices.load_balancer_subnets)
        if choices.key_pairs:
            known = f"; this account has: {', '.join(choices.key_pairs)}"
            text = text.replace("use SSM Session Manager", f"use SSM Session Manager{known}")
    places = document.parse(text, "").keys
    lines = text.splitlines()
    for path, value in values.items():
        number = int(places[path].split(":")[1]) - 1
        lines[number] = _with_value(lines[number], path[-1], value)
    made = "\n".join(lines) + "\n"
    load.link(document.parse(made, "opsctl.yaml"), environment=None, environ={})
    return made


def write(folder: Path, contents: Mapping[str, str]) -> Iterator[Written]:
    """Write the files that do not exist yet. Raises OpsError when writing fails."""
    for name, text in contents.items():
        path = folder / name
        yield Written(path, kept=not disk.create(path, text))


def suggested(network: Network, vpc: str) -> tuple[Subnet, ...]:
    """Return one subnet per zone, up to three, whose instances reach AWS, private ones first.

    Fewer than two means that the VPC has no such subnets in two zones.
    """
    able = [subnet for subnet in network.of(vpc) if network.has_way_out(subnet)]
    able.sort(key=lambda subnet: (network.routes[subnet.id] == "internet", subnet.zone, subnet.id))
    return _one_of_each_zone(able)


def facing(network: Network, chosen: Iterable[Subnet]) -> tuple[Subnet, ...]:
    """Return other subnets for an internet-facing load balancer if the chosen ones are private."""
    chosen = tuple(chosen)
    if not chosen or all(network.routes.get(one.id) == "internet" for one in chosen):
        return ()
    zones = {one.zone for one in chosen}
    public = [
        one
        for one in network.of(chosen[0].vpc)
        if network.routes.get(one.id) == "internet" and one.zone in zones
    ]
    return _one_of_each_zone(sorted(public, key=lambda one: (one.zone, one.id)))


def _one_of_each_zone(subnets: Iterable[Subnet]) -> tuple[Subnet, ...]:
    by_zone: dict[str, Subnet] = {}
    for subnet in subnets:
        by_zone.setdefault(subnet.zone, subnet)
    return tuple(by_zone.values())[:_ZONES]


def system_name(text: str) -> str:
    """Turn a directory's name into a system's name; '' when too little of it is usable."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    name = "-".join(words).lstrip("0123456789-")[:20]
    name = name.rstrip("-")
    return name if len(name) > 1 else ""  # ECR repositories need two letters


def _read(name: str) -> str:
    return (project.FOLDER / name).read_text(encoding="utf-8")


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def _with_value(line: str, key: str, value: str) -> str:
    """Return the line with another value. The comment stays in its column if possible."""
    match = re.fullmatch(r"(\s*)[\w-]+: *([^#]*?)( +#.*)?", line)
    assert match, line
    new = f"{match[1]}{key}: {value}"
    if not match[3]:
        return new
    column = line.index(match[3].lstrip(), len(match[1]))
    return f"{new.ljust(column - 1)} {match[3].lstrip()}"


def _admitted(ignore: str) -> str:
    """Return the lines of .dockerignore that a system's own directory needs."""
    names = ("Caddyfile", "Dockerfile", ".dockerignore", "requirements", "service")
    lines = ignore.splitlines()
    return "\n".join(one for one in lines if one[:1] != "!" or one[1:] in names) + "\n"
