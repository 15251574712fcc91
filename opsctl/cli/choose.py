"""The choices of `init`: taken from the command line, from questions, or from the account."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from opsctl import disk, scaffold
from opsctl.cli.screens.console import Console
from opsctl.config.names import NAME, NAME_LENGTH, NAME_WORDS
from opsctl.errors import ConfigError, Detached, OpsError
from opsctl.scaffold import Choices
from opsctl.snapshot.network import Network, Vpc
from opsctl.snapshot.subnets import Subnet

_WAYS = {
    "internet": "to the internet",
    "nat": "to the internet through NAT",
    "other": "through another gateway",
    "": "no way out",
}
_ANSWERS = {"": True, "y": True, "yes": True, "n": False, "no": False}
_ALLOWED = f"allowed: two or more, {NAME_WORDS}"


def name(console: Console, folder: Path, given: str | None) -> str:
    """Raise ConfigError for a name that AWS would refuse; one that was typed is asked for again."""
    if given is None:
        given = scaffold.system_name(disk.real(folder).name) or "example"
        if console.interactive:
            default = given
            while not _possible(given := text(console, "name of the system", default=default)):
                console.say(f"`{given}` cannot be one; {_ALLOWED}")
    if not _possible(given):
        raise ConfigError(f"`{given}` cannot be the name of a system", hint=_ALLOWED)
    return given


def _possible(name: str) -> bool:
    # The repository has the same name, and ECR requires two letters.
    return bool(re.fullmatch(NAME, name)) and 2 <= len(name) <= NAME_LENGTH


def account(
    console: Console, choices: Choices, vpc: str | None, subnets: list[str], *, ask: bool
) -> Choices:
    """Return the choices with what the credentials' account adds, or as they are for a sandbox.

    `ask` is for a command line that says neither --account nor --sandbox: without credentials it
    becomes a sandbox. With --account, raises AwsError without credentials.
    """
    from opsctl import aws
    from opsctl.config.model import Aws
    from opsctl.snapshot import identity, network

    try:
        clients = aws.connect(Aws())
        caller = identity.read(clients)
    except Exception as error:
        refusal = aws.translate(error)
        if refusal is None or not ask:
            raise
        console.say(f"{refusal.message}, so this will be a system of the sandbox")
        return choices
    where = f"account {caller.account} in {caller.region}"
    if ask and not yes(console, f"for AWS {where}? (no: for a sandbox on this machine)"):
        return choices
    known = network.read(clients.ec2)
    chosen = place(console, known, where, vpc, subnets)
    facing = scaffold.facing(known, chosen)
    return Choices(
        choices.name,
        chosen[0].vpc,
        tuple(one.id for one in chosen),
        tuple(one.id for one in facing),
        caller.region,
        caller.account,
        known.key_pairs,
    )


def text(console: Console, question: str, *, default: str) -> str:
    return _answer(console, f"{question} [{default}] ") or default


def yes(console: Console, question: str) -> bool:
    while (answer := _answer(console, f"{question} [Y/n] ").lower()) not in _ANSWERS:
        console.say("y or n")
    return _ANSWERS[answer]


def _answer(console: Console, prompt: str) -> str:
    """Read a line. Raises Detached at the end of input (Ctrl-D)."""
    line = console.ask(prompt)
    if not line:
        raise Detached("no answer, so nothing was written")
    return line.strip()


def place(
    console: Console, network: Network, where: str, vpc: str | None, subnets: Sequence[str]
) -> tuple[Subnet, ...]:
    """Return subnets in at least two zones. Raises OpsError when the account has none that fit."""
    chosen = _vpc(console, network, where, vpc, subnets)
    known = network.of(chosen.id)
    suggested = scaffold.suggested(network, chosen.id)
    if subnets:
        place = _named(known, subnets, chosen)
    elif console.interactive:
        rows = [_row(network, subnet) for subnet in known]
        default = [known.index(one) for one in suggested]
        numbers = _numbers(
            console, f"subnets of {chosen.id}", "which subnets?", rows, default, _two_zones(known)
        )
        place = tuple(known[number] for number in numbers)
    else:
        place = suggested
    if len({one.zone for one in place}) < 2:
        raise OpsError(
            f"{chosen.id} has no subnets in two zones from which instances reach AWS",
            hint="choose another VPC or subnets with --vpc and --subnet, or give these "
            "a public address or a NAT gateway",
        )
    return place


def _vpc(
    console: Console, network: Network, where: str, vpc: str | None, subnets: Sequence[str]
) -> Vpc:
    if not network.vpcs:
        raise OpsError(f"{where} has no VPC", hint="aws ec2 create-default-vpc")
    by_subnet = {one.id: one.vpc for one in network.subnets}
    wanted = vpc or next((by_subnet[one] for one in subnets if one in by_subnet), None)
    if wanted is not None:
        for one in network.vpcs:
            if one.id == wanted:
                return one
        known = ", ".join(one.id for one in network.vpcs)
        raise ConfigError(f"{where} has no VPC `{wanted}`", hint=f"it has: {known}")
    if console.interactive and len(network.vpcs) > 1:
        rows = [(one.id, one.cidr, one.name or "default" * one.is_default) for one in network.vpcs]
        [number] = _numbers(console, f"VPCs of {where}", "which VPC?", rows, [0], _one)
        return network.vpcs[number]
    first = network.vpcs[0]
    if not first.is_default and len(network.vpcs) > 1:
        known = ", ".join(one.id for one in network.vpcs)
        raise ConfigError(f"{where} has no default VPC", hint=f"choose with --vpc: {known}")
    return first


def _named(known: Sequence[Subnet], subnets: Sequence[str], vpc: Vpc) -> tuple[Subnet, ...]:
    by_id = {one.id: one for one in known}
    if unknown := [id for id in subnets if id not in by_id]:
        raise ConfigError(
            f"{vpc.id} has no subnet `{unknown[0]}`", hint=f"it has: {', '.join(by_id)}"
        )
    return tuple(by_id[id] for id in subnets)


def _row(network: Network, subnet: Subnet) -> tuple[str, ...]:
    way = _WAYS[network.routes.get(subnet.id, "")]
    if network.routes.get(subnet.id) == "internet" and not subnet.public:
        way = "no way out: no public addresses"
    return subnet.id, subnet.zone, f"{subnet.free_addresses} free", way, subnet.name


def _numbers(
    console: Console,
    title: str,
    question: str,
    rows: Sequence[Sequence[str]],
    default: Sequence[int],
    refused: Callable[[Sequence[int]], str],
) -> list[int]:
    """Return the chosen rows. Asks again until the answer is valid."""
    console.say(f"{title}:")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows, 1):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.say(f"  {number:>2}  {cells}".rstrip())
    shown = ",".join(str(number + 1) for number in default)
    while True:
        answer = text(console, question, default=shown)
        words = answer.replace(",", " ").split()
        if all(word.isdigit() and 0 < int(word) <= len(rows) for word in words) and words:
            numbers = [int(word) - 1 for word in dict.fromkeys(words)]
            if not (why := refused(numbers)):
                return numbers
            console.say(why)
        else:
            console.say(f"numbers from 1 to {len(rows)}, with commas between several")


def _one(numbers: Sequence[int]) -> str:
    return "" if len(numbers) == 1 else "one of them"


def _two_zones(known: Sequence[Subnet]) -> Callable[[Sequence[int]], str]:
    def refused(numbers: Sequence[int]) -> str:
        zones = {known[number].zone for number in numbers}
        return "" if len(zones) > 1 else "the load balancer needs subnets in at least two zones"

    return refused
